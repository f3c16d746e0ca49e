"""Forms of configuration that are valid, met in the wild, and easily missed."""

import pytest

from edasim.errors import ConfigurationError
from edasim.governance import CircuitBreaker, PowerOfChoices, RoundRobin, Window, load_text

LB = "type.googleapis.com/envoy.extensions.load_balancing_policies"


def ignored(loaded):
    """The notes on what was not taken, by path."""
    return {note.path: note.says for note in loaded.ignored}


@pytest.mark.rule("GV-40")
class TestResilience4j:
    def test_spring_takes_any_case_and_any_dashes(self):
        loaded = load_text(
            """
            RESILIENCE4J:
              circuitBreaker:
                instances:
                  shop:
                    failure_rate_threshold: 40
                    SLIDING-WINDOW-SIZE: "20"
                    slidingWindowType: time_based
                    wait-duration-in-open-state: PT5S
                    slowCallDurationThreshold: 500ms
            """
        )
        assert loaded.policy("shop", "circuit breaker") == CircuitBreaker(
            failure_rate_ratio=0.4, window_size=20, window=Window.TIME, open_s=5.0, slow_call_s=0.5
        )
        assert not loaded.ignored

    def test_names_with_dots_stand_in_brackets(self):
        loaded = load_text("resilience4j.retry.instances[shop.v1].maxAttempts: 4")
        assert loaded.policy("shop.v1", "retry").attempts == 4
        nested = load_text('resilience4j: {retry: {instances: {"[shop.v1]": {maxAttempts: 4}}}}')
        assert nested.policy("shop.v1", "retry").attempts == 4

    def test_documents_add_up_and_later_ones_override(self):
        loaded = load_text(
            "resilience4j.retry.configs.default: {maxAttempts: 2, waitDuration: 1s}\n---\n"
            "resilience4j.retry.instances.shop.wait-duration: 250ms\n---\n"
            "spring.config.activate.on-profile: prod\nresilience4j.retry.instances.shop.maxAttempts: 9\n---\n"
            "resilience4j.retry.configs.default.max-attempts: 5"
        )
        retry = loaded.policy("shop", "retry")
        assert (retry.attempts, retry.backoff.first_wait_s) == (5, 0.25)
        assert ignored(loaded) == {
            "document 3.spring": "says nothing about when calls are made",
            "document 3.resilience4j": "holds for the profile 'prod' only",
            "resilience4j.retry.configs.default.maxAttempts": "said again in a later document",
        }

    def test_the_default_of_a_placeholder_is_taken_and_said(self):
        loaded = load_text('resilience4j.retry.instances.shop.maxAttempts: "${TRIES:4}"')
        assert loaded.policy("shop", "retry").attempts == 4
        assert ignored(loaded) == {
            "resilience4j.retry.instances.shop.maxAttempts": "a placeholder: its default, '4', is taken"
        }
        with pytest.raises(ConfigurationError, match=r"maxAttempts is '\$\{TRIES\}'; give a whole number"):
            load_text('resilience4j.retry.instances.shop.maxAttempts: "${TRIES}"')

    def test_a_default_may_be_a_placeholder_with_a_default(self):
        loaded = load_text('resilience4j.retry.instances.shop.waitDuration: "${WAIT:${ALL_WAITS:250ms}}"')
        assert loaded.policy("shop", "retry").backoff.first_wait_s == 0.25
        with pytest.raises(ConfigurationError, match="waitDuration is"):
            load_text('resilience4j.retry.instances.shop.waitDuration: "${A:1}${B:2}"')

    def test_names_that_look_like_numbers_are_texts(self):
        loaded = load_text("resilience4j.retry.instances: {1: {maxAttempts: 2}, true: {maxAttempts: 3}, 0x1: {}}")
        assert {name: kinds["retry"].attempts for name, kinds in loaded.policies.items()} == {
            "1": 2,
            "true": 3,
            "0x1": 3,
        }

    def test_properties(self):
        loaded = load_text(
            "# calls\n! more\nresilience4j.retry.instances.shop.maxAttempts = 4\n\n"
            "resilience4j.retry.instances.shop.waitDuration: \\\n    PT2S\n"
            "resilience4j.retry.instances.shop.retryExceptions[0]=java.io.IOException\n"
            "#---\nresilience4j.timelimiter.instances.shop.timeoutDuration 1500\n",
            "application.properties",
        )
        assert loaded.policy("shop", "retry").attempts == 4
        assert loaded.policy("shop", "retry").backoff.first_wait_s == 2.0
        assert loaded.policy("shop", "timeout").after_s == 1.5
        assert list(ignored(loaded)) == ["resilience4j.retry.instances.shop.retryExceptions"]
        for text, told in (("a=1\na=2", "has the key 'a' twice"), ("=1", "give NAME=VALUE in each line")):
            with pytest.raises(ConfigurationError, match=told):
                load_text(text, "x.properties")


@pytest.mark.rule("GV-41")
class TestEnvoy:
    def test_a_balancing_policy_as_an_extension(self):
        loaded = load_text(
            f"""
            static_resources:
              clusters:
              - name: shop
                lb_policy: LOAD_BALANCING_POLICY_CONFIG
                load_balancing_policy:
                  policies:
                  - typed_extension_config: {{name: own, typed_config: {{"@type": type.googleapis.com/own.Best}}}}
                  - typed_extension_config:
                      name: envoy.load_balancing_policies.least_request
                      typed_config:
                        "@type": {LB}.least_request.v3.LeastRequest
                        choice_count: 3
                  - typed_extension_config:
                      typed_config:
                        "@type": {LB}.random.v3.Random
                typed_extension_protocol_options:
                  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
              - {{name: given, lb_policy: CLUSTER_PROVIDED}}
            """
        )
        assert loaded.policies == {"shop": {"balancing": PowerOfChoices(choices=3)}}
        said = ignored(loaded)
        path = "static_resources.clusters[0].load_balancing_policy.policies"
        assert said[f"{path}[0].typed_extension_config"] == "extensions are not read"
        assert said[f"{path}[2].typed_extension_config"] == "an earlier policy is used"
        assert said["static_resources.clusters[1].lb_policy"] == "the policy is an extension's, which is not read"
        assert not loaded.unknown

    def test_what_is_enforced_in_part_is_said(self):
        loaded = load_text("{name: shop, outlier_detection: {consecutive_5xx: 3, enforcing_consecutive_5xx: 40}}")
        assert loaded.policy("shop", "outlier detection").consecutive_failures == 3
        path = "outlier_detection.enforcing_consecutive_5xx"
        assert ignored(loaded) == {path: "40% of what is detected is ejected there, all of it here"}

    def test_a_dump_of_a_running_proxy(self):
        loaded = load_text(
            """
            {"configs": [
              {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {}},
              {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
               "static_clusters": [{"last_updated": "2026-01-01T00:00:00Z", "cluster": {
                  "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "a",
                  "circuit_breakers": {"thresholds": [{"max_requests": 5}]}}}],
               "dynamic_active_clusters": [{"version_info": "1", "cluster": {"name": "b"}}]},
              {"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
               "dynamic_route_configs": [{"route_config": {"virtual_hosts": [{"name": "h", "domains": ["*"],
                  "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "b", "timeout": "3s"}}]}]}}]}]}
            """,
            "dump.json",
        )
        assert loaded.policy("a", "bulkhead").limit == 5
        assert loaded.policy("b", "timeout").after_s == 3.0
        assert loaded.policy("b", "balancing") == RoundRobin()
        assert not loaded.unknown

    def test_a_bootstrap_that_only_says_where_to_ask_has_no_policies(self):
        loaded = load_text("{node: {id: a}, dynamic_resources: {cds_config: {}}, admin: {}}")
        assert not loaded.policies
        assert ignored(loaded)["dynamic_resources"] == "names the servers that have the clusters; give what they send"

    def test_a_cluster_is_given_once_whatever_it_says(self):
        with pytest.raises(ConfigurationError, match="give each cluster once"):
            load_text("clusters: [{name: a}, {name: a}]")


@pytest.mark.rule("GV-42")
class TestKubernetes:
    CONTAINERS = "{template: {spec: {containers: [{name: c, livenessProbe: {tcpSocket: {port: 1}}}]}}}"

    def test_a_list_of_one_kind_says_it_once(self):
        items = f"[{{metadata: {{name: a}}, spec: {self.CONTAINERS}}}]"
        assert set(load_text(f"{{apiVersion: apps/v1, kind: DeploymentList, items: {items}}}").policies) == {"a/c"}

    def test_kinds_of_other_groups_are_named_and_not_taken_for_empty(self):
        rollout = f"{{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {{name: a}}, spec: {self.CONTAINERS}}}"
        (note,) = load_text(rollout).unknown
        assert str(note) == ("document: unknown kind 'Rollout' of argoproj.io: only Kubernetes' own workloads are read")

    def test_a_misspelt_field_of_the_workload_is_named(self):
        spec = "replcas: 3, " + self.CONTAINERS[1:-1]
        loaded = load_text(f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: a}}, spec: {{{spec}}}}}")
        assert [note.path for note in loaded.unknown] == ["spec.replcas"]

    def test_anchors_sidecars_and_startup(self):
        loaded = load_text(
            """
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: store, namespace: bank}
            spec:
              serviceName: store
              template:
                spec:
                  initContainers:
                  - {name: proxy, restartPolicy: Always, startupProbe: {exec: {command: [up]}, failureThreshold: 30}}
                  - {name: migrate}
                  containers:
                  - name: app
                    startupProbe: &asks {httpGet: {port: 80}, periodSeconds: 5, failureThreshold: 60}
                    livenessProbe: {<<: *asks, failureThreshold: 4}
            """
        )
        assert set(loaded.policies) == {"bank/store/proxy", "bank/store/app"}
        app = loaded.policy("bank/store/app", "probes")
        assert (app.startup.failure_threshold, app.liveness.failure_threshold, app.liveness.period_s) == (60, 4, 5.0)
        assert not loaded.unknown
