"""Inside a broker at an instant, and a film of such instants that the reader moves through.

Kafka shows its log, with what each group has committed and read; the others show their queue, with what their consumers
hold. Of core NATS that is what is pending in the members' clients, for the server keeps nothing. A film is a page in a
frame of its own (SVG and a script, no network); its frames are the pictures of this module, each with its sentence.
Left out: exchanges and bindings, which `routing` shows, and JetStream's stream beside its consumer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import checks
from ..brokers.base import Capability
from ..errors import ConfigurationError
from ..kernel import Run
from .broker_queue import draw_queue, queue_at
from .partitions import partitions_svg
from .picture import Picture
from .svg import escape

if TYPE_CHECKING:
    from ..scenarios.one_broker import OneBroker

MOST_FRAMES = 60
STYLE = (
    "html,body{margin:0;background:#fff;color:#1b1f24;font:14px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "body{border:1px solid #c9d1d9;border-radius:8px;box-sizing:border-box;height:100vh;display:flex;"
    "flex-direction:column;overflow:hidden}#stage{flex:1 1 0;min-height:0;overflow:hidden}"
    ".bar{display:flex;gap:8px;align-items:center;padding:6px 12px;background:#f6f8fa;border-top:1px solid #c9d1d9}"
    ".bar input{flex:1 1 160px;height:24px;accent-color:#0072b2}"
    "button{font:inherit;color:inherit;min-height:30px;padding:2px 10px;border:1px solid #6e7781;border-radius:6px;"
    "background:#fff}#play{min-width:84px;background:#0072b2;color:#fff;font-weight:600}"
    "button:focus-visible,input:focus-visible{outline:3px solid #0072b2}output{min-width:84px;text-align:right}"
    "#say{margin:0;padding:0 12px 7px;min-height:38px;background:#f6f8fa}"
)
SCRIPT = """
const D = JSON.parse(document.getElementById("data").textContent), $ = (id) => document.getElementById(id);
let timer = null;
const stop = () => { clearInterval(timer); timer = null; $("play").textContent = "▶ Play"; };
const show = (k) => {
  const at = Math.max(0, Math.min(D.frames.length - 1, k));
  $("scrub").value = at; $("stage").innerHTML = D.frames[at]; $("time").textContent = D.times[at];
  $("scrub").setAttribute("aria-valuetext", D.times[at]); $("say").textContent = D.said[at];
  if (at === D.frames.length - 1) stop();
};
const now = () => Number($("scrub").value);
$("scrub").oninput = () => { stop(); show(now()); };
$("back").onclick = () => { stop(); show(now() - 1); };
$("next").onclick = () => { stop(); show(now() + 1); };
$("play").onclick = () => {
  if (timer !== null) return stop();
  if (now() === D.frames.length - 1) show(0);
  $("play").textContent = "❚❚ Stop"; timer = setInterval(() => show(now() + 1), 700);
};
show(0);
"""


def broker_inside_svg(run: Run, at_s: float | None = None) -> Picture:
    """The inside of the broker of a run of `OneBroker`, at its end, or at an instant before it.

    For Kafka, whose state is that of the run's end, run until that instant instead; `ConfigurationError` otherwise, and
    for a run without a broker.
    """
    broker = run.kept.get("broker")
    if broker is None:
        raise ConfigurationError("the run kept no broker", field="run", remedy="give a run of scenarios.OneBroker")
    if not _has_log(run):
        return draw_queue(queue_at(run, at_s), note=_note(broker.name))
    if at_s is not None and at_s != run.ended_s:
        raise checks.refuse("at_s", at_s, "leave it out for Kafka, and run the scenario until that instant")
    topic, *_ = broker.topics.values()
    return partitions_svg(topic)


def _has_log(run: Run) -> bool:
    """Whether the broker of a run is one that keeps a log in partitions."""
    return Capability.PARTITIONED_LOG in run.kept["broker"].capabilities


def _note(broker: str) -> str:
    if broker == "nats":
        return "The server keeps nothing: what is drawn as sent ahead lies in the members' clients, and dies with them."
    return ""


def broker_film(scenario: OneBroker, at_s: Sequence[float], *, seed: int = 1) -> Picture:
    """The inside of the scenario's broker at these instants (seconds, at most 60), to play, stop and step through.

    Raises `ConfigurationError` for instants that do not rise.
    """
    instants_s = _rising(at_s)
    return _film(_frames(scenario, instants_s, seed), instants_s, scenario.broker.describe())


def queue_film(run: Run, at_s: Sequence[float], of: str | None = None) -> Picture:
    """The queue of a run at these instants (seconds, at most 60), to play, stop and step through.

    `of` names the subscription if there are several. Raises `ConfigurationError` for instants that do not rise.
    """
    instants_s = _rising(at_s)
    return _film([draw_queue(queue_at(run, each, of)) for each in instants_s], instants_s, "a queue and its consumers")


def _rising(at_s: Sequence[float]) -> tuple[float, ...]:
    instants_s = tuple(checks.check_positive("at_s", each) for each in at_s)
    if list(instants_s) != sorted(set(instants_s)) or not 2 <= len(instants_s) <= MOST_FRAMES:
        raise checks.refuse("at_s", at_s, f"give 2 to {MOST_FRAMES} rising instants")
    return instants_s


def _film(frames: Sequence[Picture], instants_s: Sequence[float], shows: str) -> Picture:
    """Pictures of instants as a page in a frame of its own."""
    times = [f"{each:.3f} s" for each in instants_s]
    said = [frame.text.partition("\n")[0] for frame in frames]
    alt = f"Film of {len(frames)} instants from {times[0]} to {times[-1]}: {shows}"
    data = json.dumps({"frames": [frame.svg for frame in frames], "times": times, "said": said}, ensure_ascii=False)
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(alt)}</title><style>{STYLE}</style>'
        '</head><body><div id="stage"></div><div class="bar"><button id="play" type="button">▶ Play</button>'
        '<button id="back" type="button">◂ Step</button><button id="next" type="button">Step ▸</button>'
        f'<input id="scrub" type="range" min="0" max="{len(frames) - 1}" value="0" aria-label="Simulated time">'
        '<output id="time" for="scrub"></output></div><p id="say" role="status"></p>'
        f'<script type="application/json" id="data">{data.replace("<", chr(92) + "u003c")}</script>'
        f"<script>{SCRIPT}</script></body></html>"
    )
    height = 100 + max(_height(frame.svg) for frame in frames)
    quoted = page.replace("&", "&amp;").replace("'", "&#39;")
    html = (
        f'<iframe title="{escape(alt)}" sandbox="allow-scripts" loading="lazy" style=\'width:100%;max-width:760px;'
        f"height:{height:.0f}px;border:0' srcdoc='{quoted}'></iframe>"
    )
    text = [f"{alt}.", *(f"{when}: {words}" for when, words in zip(times, said, strict=True))]
    return Picture(html=html, alt=alt, text="\n".join(text))


def _frames(scenario: OneBroker, instants_s: Sequence[float], seed: int) -> list[Picture]:
    """A picture for each instant: of one run, or, for Kafka, of a run up to each."""
    whole = scenario.run(seed=seed, until_s=instants_s[-1])
    if not _has_log(whole):
        return [broker_inside_svg(whole, each) for each in instants_s]
    return [broker_inside_svg(scenario.run(seed=seed, until_s=each)) for each in instants_s]


def _height(svg: str) -> float:
    """The height of a picture in pixels, as its view box says."""
    return float(svg.partition('viewBox="')[2].partition('"')[0].split()[3])
