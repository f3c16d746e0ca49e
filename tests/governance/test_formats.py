"""Configuration files: what is understood, what is ignored and why, and what is refused with its path."""

import contextlib
import json
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from edasim.errors import ConfigurationError, EdasimError, UnknownNameError
from edasim.governance import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    ConsistentHash,
    Failure,
    Jitter,
    OutlierDetection,
    PermitsPerPeriod,
    PowerOfChoices,
    Probe,
    Probes,
    Random,
    Retry,
    RoundRobin,
    ShareOfActive,
    Timeout,
    load,
    load_text,
)
from edasim.governance.formats.durations import seconds

FEW = settings(max_examples=40)
"""For laws of second rank: test time is precious."""

DATA = Path(__file__).parents[2] / "data" / "governance"
FILES = sorted(path.name for path in DATA.iterdir() if path.suffix in {".yml", ".yaml", ".json"})
PERCENT_5XX = {Failure.ERROR, Failure.TIMEOUT, Failure.UNREACHABLE, Failure.OVERLOADED}


def said(loaded, path):
    """What was said of a field, whose path ends so."""
    return [note.says for note in (*loaded.understood, *loaded.ignored) if note.path.endswith(path)]


def refused(text, told, source="text.yaml"):
    """Asserts that reading the text raises an error that tells this."""
    with pytest.raises(ConfigurationError, match=told):
        load_text(text, source)


class TestFiles:
    def test_there_are_five_of_each_format(self):
        kinds = [load(DATA / name).format.value for name in FILES]
        assert {kind: kinds.count(kind) for kind in kinds} == {"Resilience4j": 5, "Envoy": 5, "Kubernetes": 5}

    @pytest.mark.parametrize("name", FILES)
    def test_each_gives_policies_and_a_report(self, name):
        loaded = load(DATA / name)
        assert loaded.policies
        assert loaded.understood
        assert all(note.path and note.says for note in loaded.ignored)
        assert str(loaded.ignored[0]) in loaded.describe()
        for governed, kinds in loaded.policies.items():
            assert all(loaded.policy(governed, kind) == policy for kind, policy in kinds.items())

    @pytest.mark.parametrize(
        ("name", "unknown"),
        [
            ("resilience4j-old-names.yml", "failureRateTreshold: unknown field; did you mean 'failureRateThreshold'?"),
            ("envoy-routes.yaml", "num_retrys: unknown field; did you mean 'num_retries'?"),
            ("kubernetes-grpc.yaml", "failureTreshold: unknown field; did you mean 'failureThreshold'?"),
        ],
    )
    def test_unknown_fields_are_named(self, name, unknown):
        loaded = load(DATA / name)
        assert len(loaded.unknown) == 1
        assert str(loaded.unknown[0]).endswith(unknown)

    def test_a_name_or_kind_that_is_not_there(self):
        loaded = load(DATA / "resilience4j-flat.yml")
        with pytest.raises(UnknownNameError, match="there is no governed service 'goe'; did you mean 'geo'"):
            loaded.policy("goe", "retry")
        with pytest.raises(UnknownNameError, match="there is no policy of 'geo' 'bulkhead'"):
            loaded.policy("geo", "bulkhead")


@pytest.mark.rule("GV-40")
class TestResilience4j:
    def test_an_instance_over_its_base(self):
        loaded = load(DATA / "resilience4j-shop.yml")
        assert loaded.policy("payment", "circuit breaker") == CircuitBreaker(
            window_size=100, slow_call_s=2.0, slow_call_rate_ratio=0.6, open_s=30.0, failure_rate_ratio=0.25
        )
        default = CircuitBreaker(
            window_size=20, minimum_calls=10, permitted_half_open_calls=3, open_s=5.0, automatic=True
        )
        assert loaded.policy("stock", "circuit breaker") == default, "who says nothing takes the default"
        assert loaded.policy("payment", "rate limiter") == PermitsPerPeriod(limit=10, period_s=1.0, timeout_s=0.0)
        assert loaded.policy("stock", "bulkhead") == Bulkhead(limit=10, longest_wait_s=0.02)
        assert loaded.policy("catalogue", "timeout") == Timeout(after_s=0.5)

    def test_growing_and_spread_waits(self):
        loaded = load(DATA / "resilience4j-notifications.yml")
        breaker = loaded.policy("mail-gateway", "circuit breaker")
        assert [breaker.open_wait_s(times) for times in (1, 2, 6)] == [10.0, 20.0, 300.0]
        assert (breaker.window.value, breaker.half_open_s) == ("time", 30.0)
        backoff = Backoff(first_wait_s=0.2, factor=2.0, cap_s=10.0, jitter=Jitter.AROUND, around_ratio=0.3)
        assert loaded.policy("mail-gateway", "retry") == Retry(attempts=5, backoff=backoff)

    def test_anchors_documents_and_profiles(self):
        loaded = load(DATA / "resilience4j-two-profiles.yml")
        assert loaded.policy("accounts", "circuit breaker").failure_rate_ratio == 0.5
        assert loaded.policy("ledger", "circuit breaker").failure_rate_ratio == 0.8
        assert loaded.policy("ledger", "circuit breaker").open_s == 20.0, "a bare number is in milliseconds"
        assert said(loaded, "document 2.resilience4j") == ["holds for the profile 'load-test' only"]

    def test_old_names_are_not_read_and_said_to_be_old(self):
        loaded = load(DATA / "resilience4j-old-names.yml")
        assert loaded.policy("inventory", "circuit breaker").window_size == 100
        assert loaded.policy("inventory", "retry").attempts == 3
        assert said(loaded, "maxRetryAttempts") == ["the old name of maxAttempts, which Resilience4j 2 does not read"]

    def test_a_configuration_that_nobody_uses_is_read_too(self):
        loaded = load_text("resilience4j.bulkhead.configs.spare.maxConcurrentCalls: 7")
        assert loaded.policy("configs.spare", "bulkhead") == Bulkhead(limit=7)

    def test_chains_of_bases(self):
        loaded = load_text(
            """
            resilience4j.retry:
              configs:
                a: {baseConfig: b, maxAttempts: 7}
                b: {waitDuration: 2s, maxAttempts: 9}
              instances: {x: {base-config: a}}
            """
        )
        assert loaded.policy("x", "retry").attempts == 7
        assert loaded.policy("x", "retry").backoff.first_wait_s == 2.0
        with pytest.raises(UnknownNameError, match=r"no baseConfig of resilience4j\.retry\.instances\.x 'c'"):
            load_text("resilience4j.retry: {configs: {a: {}}, instances: {x: {baseConfig: c}}}")
        refused(
            "resilience4j.retry: {configs: {a: {baseConfig: b}, b: {baseConfig: a}}, instances: {x: {baseConfig: a}}}",
            "give configurations that are not based on themselves",
        )

    def test_a_breaker_without_base_takes_the_configuration_of_its_name(self):
        loaded = load_text(
            "resilience4j.circuitbreaker: {configs: {x: {slidingWindowSize: 7}, default: {slidingWindowSize: 9}},"
            " instances: {x: {minimumNumberOfCalls: 3}, y: {}}}"
        )
        assert loaded.policy("x", "circuit breaker") == CircuitBreaker(window_size=7, minimum_calls=3)
        assert loaded.policy("y", "circuit breaker").window_size == 9

    def test_what_is_not_modelled_says_so(self):
        loaded = load_text(
            "resilience4j.circuitbreaker.instances.x: {initialState: DISABLED, enableRandomizedWait: true,"
            " slidingWindowType: time-based, maxWaitDurationInHalfOpenState: 0}"
        )
        assert "circuit.force" in said(loaded, "initialState")[0]
        assert said(loaded, "enableRandomizedWait") == ["waits in the open state are not random here"]
        breaker = loaded.policy("x", "circuit breaker")
        assert (breaker.half_open_s, breaker.window.value) == (None, "time")
        grown = load_text(
            "resilience4j.circuitbreaker.instances.x: {waitDurationInOpenState: 2d, enableExponentialBackoff: true}"
        ).policy("x", "circuit breaker")
        assert (grown.open_factor, grown.open_wait_s(2)) == (1.5, 259_200.0)

    @pytest.mark.parametrize(
        ("text", "path", "why"),
        [
            ("circuitbreaker.instances.x: {slidingWindowSize: 5, minimumNumberOfCalls: 9}", "minimumNumberOfCalls",
             "a window of 5 calls never holds more than these"),
            ("circuitbreaker.instances.x.exponentialBackoffMultiplier: 3", "Multiplier", "enableExponential"),
            ("retry.instances.x: {waitDuration: 1s, exponentialBackoffMultiplier: 3}", "Multiplier", "is not true"),
            ("retry.instances.x: {waitDuration: 1s, randomizedWaitFactor: 0.1}", "Factor", "enableRandomized"),
            ("retry.instances.x: {enableExponentialBackoff: true}", "Backoff", "waitDuration is missing"),
        ],
    )  # fmt: skip
    def test_what_is_understood_and_has_no_effect_says_so(self, text, path, why):
        loaded = load_text(f"resilience4j.{text}")
        (says,) = said(loaded, path)
        assert says.startswith("without effect: ")
        assert why in says

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("circuitbreaker.instances.x.slidingWindowSize: 0", r"instances\.x: CircuitBreaker\.window_size is 0"),
            ("circuitbreaker.instances.x.slidingWindowSize: ten", r"slidingWindowSize is 'ten'; give a whole number"),
            ("circuitbreaker.instances.x.slidingWindowSize: '--5'", "give a whole number"),
            ("circuitbreaker.instances.x.slidingWindowSize: '²'", "give a whole number"),
            ("circuitbreaker.instances.x.failureRateThreshold: 150", r"failureRateThreshold is 1\.5"),
            ("circuitbreaker.instances.x.failureRateThreshold: 0", "give a share above 0"),
            ("circuitbreaker.instances.x.slidingWindowType: BOTH", "give COUNT_BASED or TIME_BASED"),
            ("circuitbreaker.instances.x.waitDurationInOpenState: soon", "give a duration"),
            ("circuitbreaker.instances.x.waitDurationInOpenState: ${WAIT}", "give a duration"),
            ("circuitbreaker.instances.x: [1]", r"circuitbreaker\.instances\.x is \[1\]; give an object"),
            ("circuitbreaker.instances: 3", r"circuitbreaker\.instances is 3; give an object"),
            ('circuitbreaker.instances: {"": {}}', "give a text that is not empty"),
            ("circuitbreaker: 3", r"resilience4j\.circuitbreaker is 3"),
            ("retry.instances.x.enableExponentialBackoff: maybe", "give true or false"),
            ("retry.instances.x: {waitDuration: 1s, enableExponentialBackoff: true, exponentialBackoffMultiplier: x}",
             "give a number"),
            ("retry.instances.x: {waitDuration: 1s, wait-duration: 2s}", "says the same: give one"),
            ("retry: {instances: {x: {}}, backends: {x: {}}}", "give this retry once"),
            ("retry: {configs: {a: {}}, instances: {x: {baseConfig: [a]}}}", r"x\.baseConfig is \['a'\]; give a text"),
            ("retry.instances.x: {}\n---\n[]", r"document 2 is \[\]; give an object"),
        ],
    )  # fmt: skip
    def test_wrong_values_are_refused_with_their_path(self, text, told):
        refused(f"resilience4j.{text}", told)

    def test_the_same_field_twice_by_dots(self):
        flat = "resilience4j.retry.instances.x.maxAttempts: 1"
        refused(f"{flat}\nresilience4j: {{retry: {{instances: {{x: {{maxAttempts: 2}}}}}}}}", "give this field once")


@pytest.mark.rule("GV-41")
class TestEnvoy:
    def test_a_cluster_with_its_routes(self):
        loaded = load(DATA / "envoy-edge.yaml")
        catalogue = loaded.policies["catalogue"]
        assert catalogue["balancing"] == PowerOfChoices(choices=3)
        assert catalogue["bulkhead"] == Bulkhead(limit=400)
        assert catalogue["retry budget"] == ShareOfActive(ratio=0.25, minimum=5)
        assert catalogue["high priority retry budget"] == ShareOfActive(ratio=0.0, minimum=10)
        assert catalogue["outlier detection"] == OutlierDetection(
            consecutive_failures=3, interval_s=5.0, base_s=20.0, most_ratio=0.5
        )
        assert catalogue["timeout"] == Timeout(after_s=3.0)
        assert catalogue["timeout of an attempt"] == Timeout(after_s=0.8)
        waits = Backoff(first_wait_s=0.1, factor=2.0, cap_s=2.0, jitter=Jitter.FULL)
        assert catalogue["retry"] == Retry(attempts=4, backoff=waits, retry_on=PERCENT_5XX)
        checkout = loaded.policies["checkout"]
        assert checkout["balancing"] == RoundRobin(panic_ratio=0.3)
        assert checkout["health check"] == Probe(period_s=5.0, timeout_s=1.0, failure_threshold=3, success_threshold=2)
        assert checkout["retry"].retry_on == {Failure.UNREACHABLE, Failure.OVERLOADED}, "the virtual host's"
        assert checkout["retry"].backoff.cap_s == 0.25

    def test_camel_case_and_json(self):
        orders = load(DATA / "envoy-sidecar.json").policies["orders"]
        assert orders["balancing"] == ConsistentHash(panic_ratio=0.0, bound=1.25)
        assert orders["outlier detection"] == OutlierDetection(
            consecutive_failures=None,
            consecutive_gateway_failures=4,
            by_success_rate=False,
            most_ratio=1.0,
            longest_s=120.0,
        )
        assert orders["retry budget"] == ShareOfActive(ratio=0.0, minimum=8)

    def test_what_is_detected_but_not_enforced_has_no_effect(self):
        loaded = load_text(
            "{name: a, outlier_detection: {consecutive_gateway_failure: 3, failure_percentage_threshold: 50}}"
        )
        assert loaded.policy("a", "outlier detection") == OutlierDetection()
        assert said(loaded, "consecutive_gateway_failure")[0].startswith(
            "without effect: enforcing_consecutive_gateway"
        )
        assert said(loaded, "failure_percentage_threshold")[0].startswith(
            "without effect: enforcing_failure_percentage"
        )

    def test_resources_of_a_discovery_service(self):
        search = load(DATA / "envoy-cds.yaml").policies["search"]
        assert search["balancing"] == Random()
        assert search["outlier detection"] == OutlierDetection(
            success_rate_hosts=3,
            success_rate_requests=200,
            success_rate_deviations=1.5,
            failure_ratio=0.6,
            failure_hosts=2,
            always_one=True,
        )

    def test_routes_that_differ_stand_beside_their_cluster(self):
        loaded = load(DATA / "envoy-routes.yaml")
        assert "timeout" not in loaded.policies["accounts"], "0 s means for ever"
        assert loaded.policy("accounts transfers", "timeout") == Timeout(after_s=5.0)
        assert loaded.policy("accounts transfers", "retry").retry_on == PERCENT_5XX - {Failure.ERROR}
        assert loaded.policies["web-blue"] == loaded.policies["web-green"]
        assert loaded.policy("web-blue", "retry").attempts == 2, "one retry unless it says"
        assert loaded.policy("web-blue", "timeout") == Timeout(after_s=15.0)

    def test_defaults_of_empty_objects_and_two_documents(self):
        ledger = load(DATA / "envoy-strict.yaml").policies["ledger"]
        assert ledger["outlier detection"] == OutlierDetection()
        assert ledger["bulkhead"] == Bulkhead(limit=16)
        assert ledger["health check 2"].success_threshold == 3
        assert ledger["retry"].retry_on == {Failure.UNREACHABLE}

    def test_one_object_in_place_of_a_list(self):
        loaded = load_text("static_resources: {clusters: {name: a, circuit_breakers: {thresholds: {}}}}")
        assert loaded.policy("a", "bulkhead") == Bulkhead(limit=1024)
        assert loaded.policy("a", "retry budget") == ShareOfActive(ratio=0.0, minimum=3)

    def test_documents_of_routes_listeners_and_endpoints(self):
        loaded = load_text(
            """
            resources:
              - {"@type": type.googleapis.com/envoy.config.listener.v3.Listener, name: l, filter_chains: []}
              - {"@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment, cluster_name: a}
              - {"@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration, name: r}
              - {"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: a,
                 common_lb_config: {healthy_panic_threshold: 25}}
            """
        )
        assert loaded.policies == {"a": {"balancing": RoundRobin(panic_ratio=0.25)}}
        assert said(loaded, "resources[1].cluster_name") == ["says nothing about when and where calls are made"]

    def test_a_list_of_clusters_and_other_listeners(self):
        loaded = load_text("[{name: a, lb_policy: RANDOM}, {name: b, lb_policy: LEAST_REQUEST}]")
        assert set(loaded.policies) == {"a", "b"}
        loaded = load_text(
            """
            static_resources:
              listeners:
                - name: tcp
                  filter_chains: [{filters: [{name: tcp_proxy, typed_config: {"@type":
                    type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy}}]}]
                - default_filter_chain: {filters: [{typed_config: {"@type":
                    type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
                    route_config: {virtual_hosts: [{routes: [{route: {cluster_header: x, timeout: 2s}}]}]}}}]}
            """
        )
        assert loaded.policies == {}
        assert "it has no routes" in loaded.describe()
        assert "its policies govern nobody" in loaded.describe()

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('{"@type": type.googleapis.com/envoy.api.v2.Cluster, name: a}', "give a message of the v3 API"),
            ('{"@type": example.com/x, name: a, lb_policy: RANDOM}', "give a type of Envoy's"),
            ("{lb_policy: RANDOM}", r"name is None; give a text that is not empty"),
            ("{name: '', lb_policy: RANDOM}", "name is ''"),
            ("{name: a, lb_policy: ROUND_ROBBIN}", "ROUND_ROBBIN.*others are not modelled"),
            ("{clusters: [{name: a}, {name: a}]}", "give each cluster once"),
            ("{name: a, outlier_detection: {interval: 10}}", r"outlier_detection\.interval is 10; give a duration"),
            ("{name: a, outlier_detection: {base_ejection_time: 60s, max_ejection_time: 30s}}", "give at least base_s"),
            ("{name: a, outlier_detection: {enforcing_success_rate: 101}}", r"enforcing_success_rate is 1\.01"),
            ("{name: a, outlier_detection: {max_ejection_percent: 101}}", r"max_ejection_percent is 1\.01"),
            ("{name: a, circuit_breakers: {thresholds: [{max_requests: 0}]}}", r"\[0\]: Bulkhead\.limit is 0"),
            ("{name: a, circuit_breakers: {thresholds: 3}}", "give a list"),
            ("{name: a, health_checks: [{timeout: 1s, interval: 1s, tcp_health_check: {}}]}", "unhealthy_threshold"),
            ("{name: a, health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1}]}",
             "give one of http_health_check"),
            (("{virtual_hosts: {routes: {route: {cluster: a, retry_policy: {retry_on: retriable-status-codes,"
             " retriable_status_codes: 503}}}}}"), "give a list of status codes"),
        ],
    )  # fmt: skip
    def test_wrong_values_and_old_versions_are_refused(self, text, told):
        refused(text, told)

    def test_retry_conditions_that_nobody_knows_are_named(self):
        loaded = load_text(
            "{virtual_hosts: [{routes: [{route: {cluster: a, retry_policy: {retry_on: 'sometimes,5xx',"
            " retriable_status_codes: [503]}}}]}]}"
        )
        assert [note.says for note in loaded.unknown] == ["unknown field 'sometimes'"]
        assert said(loaded, "retriable_status_codes") == ["retry_on does not name retriable-status-codes"]


@pytest.mark.rule("GV-42")
class TestKubernetes:
    def test_a_deployment_beside_its_service(self):
        loaded = load(DATA / "kubernetes-shop.yaml")
        assert loaded.policy("shop/web", "probes") == Probes(
            startup=Probe(failure_threshold=30),
            liveness=Probe(),
            readiness=Probe(period_s=5.0, timeout_s=2.0, failure_threshold=2, success_threshold=2),
        )
        assert said(loaded, "document 2") == ["a Service has no containers"]

    def test_anchors_namespaces_and_several_containers(self):
        policies = load(DATA / "kubernetes-database.yaml").policies
        probes = policies["bank/ledger-db/postgres"]["probes"]
        assert (probes.liveness.initial_delay_s, probes.readiness.initial_delay_s) == (30.0, 5.0)
        assert (probes.liveness.failure_threshold, probes.readiness.timeout_s) == (6, 5.0)
        assert set(policies) == {"bank/ledger-db/postgres", "bank/ledger-db/exporter"}

    def test_zero_means_the_default(self):
        probes = load(DATA / "kubernetes-grpc.yaml").policy("quotes/quotes", "probes")
        assert probes.liveness == Probe(initial_delay_s=10.0)

    def test_lists_and_jobs(self):
        assert set(load(DATA / "kubernetes-list.json").policies) == {"watch/agent/agent"}
        probes = load(DATA / "kubernetes-nightly.yaml").policy("settle/proxy", "probes")
        assert probes.startup == Probe(initial_delay_s=1.0, period_s=1.0, failure_threshold=60)

    POD = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [%s]}}"

    @pytest.mark.parametrize(
        ("container", "told"),
        [
            ("{name: c, livenessProbe: {exec: {}, periodSeconds: -1}}", r"livenessProbe: Probe\.period_s is -1"),
            ("{name: c, livenessProbe: {exec: {}, periodSeconds: 1.5}}", "periodSeconds is 1.5; give a whole number"),
            ("{name: c, livenessProbe: {exec: {}, successThreshold: 2}}", "success_threshold is 2; give 1"),
            ("{name: c, livenessProbe: {exec: {}, grpc: {}}}", "give one of httpGet, tcpSocket, exec, grpc"),
            ("{name: c, livenessProbe: {}}", "give one of httpGet"),
            ("{livenessProbe: {exec: {}}}", r"containers\[0\]\.name is None"),
            ("{name: c, livenessProbe: {exec: {}}}, {name: c, livenessProbe: {exec: {}}}", "give each container once"),
        ],
    )
    def test_wrong_probes_are_refused(self, container, told):
        refused(self.POD % container, told)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (
                "{apiVersion: extensions/v1beta1, kind: Deployment}",
                "extensions/v1beta1'; give apps/v1 for a Deployment",
            ),
            ("{apiVersion: apps/v1, kind: Deployment, spec: {}}", "give the pod's spec of this Deployment"),
        ],
    )
    def test_unknown_versions_and_empty_workloads_are_refused(self, text, told):
        refused(text, told)

    def test_a_workload_without_a_name_has_its_kind(self):
        text = "{apiVersion: v1, kind: Pod, spec: {containers: [{name: c, readinessProbe: {exec: {}}}]}}"
        assert set(load_text(text).policies) == {"pod/c"}


class TestDocuments:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "is empty"),
            ("# nothing", "is empty"),
            ("just words", "holds 'just words'"),
            ("{a: 1}", "is of no format that is known here"),
            ("[]", "is of no format"),
            ("{hystrix: {}}", "configures Hystrix, which is history"),
            ("{a: [}", "is no YAML"),
            ("{resilience4j: !!python/object/apply:os.getcwd []}", "is no YAML"),
            ("{resilience4j: {}, resilience4j: {}}", "has the key 'resilience4j' twice"),
            ("{resilience4j: {? [a] : 1}}", "has a key that is a list"),
            ("{resilience4j: {2001-01-01: 1}}", "has a key datetime"),
            ("resilience4j: &a [*a]", r"is no YAML \(found unconstructable recursive node"),
            ("resilience4j: {}\n---\n{lb_policy: RANDOM, name: a}", "mixes formats"),
            ("x: 2001-02-30", "is no YAML"),
        ],
    )
    def test_what_is_no_configuration_is_refused(self, text, told):
        refused(text, told)

    def test_json(self):
        assert load_text('{"resilience4j": {"retry": {"instances": {"x": {}}}}}', "x.json").policies
        refused('{"resilience4j": ', "is no JSON", "x.json")
        refused('{"resilience4j": {}, "resilience4j": {}}', "has the key 'resilience4j' twice", "x.json")

    def test_ten_levels_of_ten_anchors_are_refused_before_they_unfold(self):
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        refused("\n".join(["resilience4j: {}", *lines]), "too large or too deep")
        refused("a: " + "[" * 70 + "]" * 70, "too large or too deep")
        refused("#" * 1_000_001, "has 1,000,001 characters")

    def test_files_that_cannot_be_read(self, tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load(tmp_path / "nothing.yaml")
        latin = tmp_path / "latin.yaml"
        latin.write_bytes(b"a: \xff")
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load(latin)
        marked = tmp_path / "marked.yaml"
        marked.write_text("\ufeffresilience4j.retry.instances.x.maxAttempts: 2", encoding="utf-8")
        assert load(marked).policy("x", "retry").attempts == 2

    @FEW
    @given(some.text(alphabet="resilience4j:.{}[]-&*!?'\"\n #,0x", max_size=80))
    def test_whatever_the_text_nothing_but_our_own_errors_comes_out(self, text):
        try:
            load_text(text)
        except EdasimError:
            return


def places(node, path=()):
    """The paths of all values inside a document."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


STRANGE = (None, 0, -1, 1.5, "", "x", True, [], [None], {}, {"": 1}, 10**30, float("inf"))


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_mutilated_files_load_or_are_refused_and_nothing_else(name):
    """Twelve times: one to four values of a file are replaced by something strange, or taken away."""
    draw, documents = random.Random(name), list(yaml.safe_load_all((DATA / name).read_text(encoding="utf-8")))
    for _ in range(12):
        mutilated = json.loads(json.dumps(documents))
        for _ in range(draw.randint(1, 4)):
            inside = [path for path in places(mutilated) if len(path) > 1] or [(0,)]
            *path, key = draw.choice(inside)
            holder = mutilated
            for step in path:
                holder = holder[step]
            holder[key] = draw.choice(STRANGE)
            if draw.random() < 0.2 and path:
                del holder[key]
        with contextlib.suppress(EdasimError):
            assert load_text("\n---\n".join(json.dumps(each) for each in mutilated)).describe()


class TestDurations:
    @pytest.mark.parametrize(
        ("value", "expected_s"),
        [
            ("500ms", 0.5),
            ("1m30s", 90.0),
            ("PT0.5S", 0.5),
            ("pt1h2m3s", 3723.0),
            ("P2DT1H", 176_400.0),
            ("0.250s", 0.25),
            (".5s", 0.5),
            ("10", 0.01),
            (10, 0.01),
            (0, 0.0),
            ("500ns", 5e-7),
            ("3us", 3e-6),
            ("1.5h", 5400.0),
            (" 2s ", 2.0),
        ],
    )
    def test_what_is_understood(self, value, expected_s):
        assert seconds("wait", value, bare="ms") == expected_s

    @pytest.mark.parametrize(
        "value", ["", "soon", "-1s", "1 m", "PT", "P", "1s30", "1e3s", -1, True, None, [], float("nan"), float("inf")]
    )
    def test_what_is_not(self, value):
        with pytest.raises(ConfigurationError, match="give a duration of at least 0"):
            seconds("wait", value, bare="ms")

    def test_a_bare_number_needs_a_unit(self):
        with pytest.raises(ConfigurationError, match="wait is 10; give a duration"):
            seconds("wait", 10)
