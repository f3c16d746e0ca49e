// Replays deliveries as moving messages. What is drawn is a function of the simulated time `now` alone, so playing,
// scrubbing and stepping show the same. Times are seconds since the beginning of the window; see theatre.py for the data.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const D = JSON.parse($("data").textContent);
  const unit = D.span / 1e6, rate = D.span / D.seconds, N = D.published.length;
  const instant = (v) => (v === null ? Infinity : v * unit);
  const published = D.published.map(instant), arrived = D.arrived.map(instant);
  const taken = D.taken.map(instant), ended = D.ended.map(instant);
  const clamp = (v) => (v < 0 ? 0 : v > 1 ? 1 : v);
  const ease = (u) => u * u * (3 - 2 * u);
  const between = (a, b, u) => [a[0] + (b[0] - a[0]) * u, a[1] + (b[1] - a[1]) * u];

  // Paths, sampled once.
  const paths = [...document.querySelectorAll("[data-arrow]")].map((path) => {
    const length = path.getTotalLength(), points = [];
    for (let i = 0; i <= 40; i++) { const p = path.getPointAtLength(length * i / 40); points.push([p.x, p.y]); }
    return { length, points };
  });
  const along = (path, u) => {
    const at = clamp(u) * 40, i = Math.min(39, Math.floor(at));
    return between(path.points[i], path.points[i + 1], at - i);
  };

  // When each message begins to fly and is seen to arrive; how long a change of place takes to watch.
  const flyFrom = new Float64Array(N), flyTo = new Float64Array(N), step = new Float64Array(N);
  for (let i = 0; i < N; i++) {
    const calm = Math.min(ended[i], D.span * 2) - arrived[i];
    step[i] = Math.max(1e-9, Math.min(0.25 * rate, 0.4 * (Math.min(ended[i], D.span * 2) - taken[i])));
    if (arrived[i] === Infinity && ended[i] === Infinity) { flyFrom[i] = published[i]; flyTo[i] = D.span * 1.5; }
    else if (arrived[i] === Infinity) { flyTo[i] = ended[i]; flyFrom[i] = Math.min(published[i], ended[i] - 0.8 * rate); }
    else if (D.early[D.arrow[i]] && D.before[i] < 0) { flyTo[i] = arrived[i]; flyFrom[i] = Math.min(published[i], arrived[i] - 0.8 * rate); }
    else { flyFrom[i] = D.before[i] < 0 ? published[i] : arrived[i]; flyTo[i] = Math.max(arrived[i], arrived[i] + Math.min(0.5 * rate, 0.5 * calm)); }
  }

  // A queue is drawn in the order in which its messages are taken; those never taken come last, as they arrived.
  const compare = (a, b) => (a === b ? 0 : a < b ? -1 : 1);
  const order = [...Array(N).keys()].sort((a, b) => compare(taken[a], taken[b]) || compare(arrived[a], arrived[b]) || a - b);
  const rank = new Int32Array(N);
  order.forEach((i, k) => { rank[i] = k; });

  const marks = [...document.querySelectorAll(".m")], shown = new Array(N).fill("");
  const ring = $("ring"), head = $("playhead");
  const laneTexts = D.lanes.map((_, l) => $("lane" + l)), tallies = D.stations.map((_, s) => $("tally" + s));
  const covers = [...document.querySelectorAll("[data-down]")];
  const waiting = new Int32Array(D.lanes.length), line = new Float64Array(D.lanes.length);
  const counts = D.stations.map(() => new Int32Array(D.outcomes.length));
  let now = 0, playing = false, speed = 1, stamp = 0, chosen = -1, byItself = true;

  const cell = (lane, place) => {
    const q = D.lanes[lane], last = q.perRow * q.rows - 1, p = Math.min(place, last);
    const spot = (k) => [q.x - (k % q.perRow) * q.pitch, q.y + Math.floor(k / q.perRow) * q.pitch];
    const low = Math.floor(p);
    return between(spot(low), spot(Math.min(last, low + 1)), p - low);
  };
  const start = (i) => (D.before[i] >= 0 ? D.seats[D.seat[D.before[i]]] || cell(D.lane[i], 0) : null);

  function place(i, ahead, soft) {
    const l = D.lane[i], seat = D.seat[i] >= 0 ? D.seats[D.seat[i]] : null;
    let spot = cell(l, ahead), look = D.attempt[i] > 1 ? "again" : "waiting";
    if (now >= taken[i] && seat) { spot = between(cell(l, Math.min(ahead, 1)), seat, ease(clamp((now - taken[i]) / (step[i] * soft)))); look = "busy"; }
    if (now < flyTo[i] && soft === 1 || now < arrived[i]) {
      const u = clamp((now - flyFrom[i]) / (flyTo[i] - flyFrom[i])), from = start(i);
      if (from) spot = between(from, spot, ease(u));
      else {
        const path = paths[D.arrow[i]], tail = path.points[40];
        const share = path.length / (path.length + Math.hypot(spot[0] - tail[0], spot[1] - tail[1]));
        spot = u < share ? along(path, u / share) : between(tail, spot, (u - share) / (1 - share));
      }
      if (now < arrived[i]) look = D.attempt[i] > 1 ? "again" : "message";
    }
    let fade = 1;
    if (now >= ended[i]) {
      const u = clamp((now - ended[i]) / (0.7 * rate)), out = D.outcomes[D.outcome[i]];
      const from = seat || (arrived[i] === Infinity ? paths[D.arrow[i]].points[40] : spot);
      spot = out.exit === "on" ? [(seat ? seat[2] : from[0]) + 8 + 30 * u, from[1]] : [from[0] + 6 * u, from[1] + 10 + 46 * u];
      look = out.look;
      fade = 1 - u * u;
    }
    return { spot, look, fade };
  }

  function draw(soft = 1) {
    waiting.fill(0); line.fill(0);
    counts.forEach((c) => c.fill(0));
    let ringed = false;
    for (const i of order) {
      const l = D.lane[i], ahead = line[l];
      if (now >= arrived[i]) {
        if (now < taken[i]) { line[l] += 1; waiting[l] += 1; }
        else line[l] += 1 - clamp((now - taken[i]) / (step[i] * soft));
      }
      if (now >= ended[i]) counts[D.lanes[l].station][D.outcome[i]] += 1;
      const visible = now >= flyFrom[i] && now >= (soft === 1 ? -1 : published[i]) && now < ended[i] + 0.7 * rate;
      if (!visible) { if (shown[i]) { marks[i].style.display = "none"; shown[i] = ""; } continue; }
      const { spot, look, fade } = place(i, ahead, soft);
      if (shown[i] !== look) { marks[i].setAttribute("href", "#" + D.stamp + look); marks[i].style.display = "inline"; shown[i] = look; }
      marks[i].setAttribute("transform", `translate(${spot[0].toFixed(1)},${spot[1].toFixed(1)})`);
      marks[i].setAttribute("opacity", fade.toFixed(2));
      if (i === chosen) { ringed = true; ring.setAttribute("transform", `translate(${spot[0].toFixed(1)},${spot[1].toFixed(1)})`); }
    }
    ring.style.display = ringed ? "inline" : "none";
    waiting.forEach((n, l) => {
      const room = D.lanes[l].perRow * D.lanes[l].rows, text = n + " waiting" + (n > room ? ", " + room + " drawn" : "");
      if (laneTexts[l].textContent !== text) laneTexts[l].textContent = text;
    });
    counts.forEach((c, s) => {
      if (!tallies[s]) return;
      const text = D.outcomes.map((o, k) => (c[k] && o.final ? o.words + " " + c[k] : "")).filter(Boolean).join(" · ");
      if (tallies[s].textContent !== text) tallies[s].textContent = text;
    });
    for (const cover of covers) {
      const out = D.down[+cover.dataset.down].some(([a, b]) => now >= a * unit && now < b * unit);
      cover.style.display = out ? "inline" : "none";
    }
    head.setAttribute("transform", `translate(${(D.strip[0] + (D.strip[1] - D.strip[0]) * now / D.span).toFixed(1)},0)`);
    $("scrub").value = Math.round(now / unit);
    $("scrub").setAttribute("aria-valuetext", clock(now));
    $("time").textContent = clock(now);
  }

  const clock = (t) => (D.from + t).toFixed(D.digits) + " s";
  const named = (i) => "message " + D.number[i] + " of " + D.origins[D.origin[i]] + (D.attempt[i] > 1 ? " (attempt " + D.attempt[i] + ")" : "");
  const say = (text) => { $("say").textContent = text; $("say").title = text; };
  const long = (s) => (s === Infinity ? "?" : s < 0.001 ? (1e6 * s).toFixed(0) + " µs" : s < 1 ? (1e3 * s).toFixed(1) + " ms" : s.toFixed(2) + " s");

  function tell(i) {
    const l = D.lane[i], until = Math.min(taken[i], D.span);
    let text = named(i) + ", published at " + clock(published[i]);
    if (arrived[i] !== Infinity) {
      let ahead = 0;
      for (let j = 0; j < N; j++) if (D.lane[j] === l && arrived[j] <= arrived[i] && rank[j] < rank[i] && taken[j] > arrived[i]) ahead += 1;
      text += ", waited " + long(until - arrived[i]) + " behind " + ahead + " others";
      if (D.seat[i] >= 0) text += ", " + long(Math.min(ended[i], D.span) - taken[i]) + " in service" + (D.who[D.seat[i]] ? " at " + D.who[D.seat[i]] : "");
    }
    say(text + ": " + (ended[i] <= D.span ? D.outcomes[D.outcome[i]].words : "not over yet") + ".");
  }

  // What happens when, for stepping.
  const happenings = [];
  for (let i = 0; i < N; i++) {
    const where = D.groups[D.lane[i]];
    if (D.before[i] < 0 && published[i] < arrived[i]) happenings.push([published[i], named(i) + " is published for " + where]);
    if (arrived[i] !== Infinity) happenings.push([arrived[i], named(i) + " joins the queue of " + where]);
    if (D.seat[i] >= 0) happenings.push([taken[i], named(i) + " is taken into service at " + where]);
    happenings.push([ended[i], named(i) + " at " + where + ": " + D.outcomes[D.outcome[i]].words]);
  }
  D.down.forEach((spans, node) => spans.forEach(([a, b]) => {
    happenings.push([a * unit, D.nodes[node] + " goes down"]);
    if (b < 1e6) happenings.push([b * unit, D.nodes[node] + " is up again"]);
  }));
  const list = happenings.filter((h) => h[0] >= 0 && h[0] <= D.span).sort((a, b) => a[0] - b[0]);

  function toEvent(forward) {
    byItself = false;
    pause();
    const near = unit * 0.5;
    const next = forward ? list.find((h) => h[0] > now + near) : list.findLast((h) => h[0] < now - near);
    if (!next) { say(forward ? "Nothing happens after this." : "Nothing happened before this."); return; }
    now = next[0];
    draw(1e-9);
    const same = list.filter((h) => Math.abs(h[0] - now) <= near).map((h) => h[1]);
    say(clock(now) + ": " + same.slice(0, 3).join("; ") + (same.length > 3 ? "; and " + (same.length - 3) + " more" : "") + ".");
  }

  function play() { if (now >= D.span) now = 0; playing = true; stamp = 0; $("play").textContent = "❚❚ Pause"; requestAnimationFrame(frame); }
  function pause() { playing = false; $("play").textContent = now >= D.span ? "↻ Again" : "▶ Play"; }
  function frame(at) {
    if (!playing) return;
    if (stamp) now = Math.min(D.span, now + Math.min(100, at - stamp) / 1000 * rate * speed);
    stamp = at;
    draw();
    if (now >= D.span) pause(); else requestAnimationFrame(frame);
  }
  function seek(t) { now = Math.max(0, Math.min(D.span, t)); draw(); if (!playing) pause(); }

  $("play").onclick = () => { byItself = false; playing ? pause() : play(); };
  $("back").onclick = () => toEvent(false);
  $("next").onclick = () => toEvent(true);
  $("speed").onchange = (e) => { speed = +e.target.value; };
  $("scrub").oninput = (e) => { byItself = false; if (playing) pause(); seek(e.target.value * unit); };
  if ($("longest")) $("longest").onclick = () => {
    byItself = false; pause(); chosen = D.longest;
    now = Math.min(D.span, taken[chosen] === Infinity ? D.span : arrived[chosen]);
    draw(1e-9); tell(chosen);
  };
  $("messages").addEventListener("click", (e) => { const i = marks.indexOf(e.target); if (i >= 0) { chosen = i; draw(); tell(i); } });
  $("strip").addEventListener("click", (e) => {
    const box = $("strip").getBoundingClientRect();
    byItself = false; pause(); seek(D.span * clamp((e.clientX - box.left) / box.width));
  });
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|BUTTON)$/.test(e.target.tagName)) return;
    if (e.key === " ") $("play").click();
    else if (e.key === "ArrowRight") toEvent(true);
    else if (e.key === "ArrowLeft") toEvent(false);
    else if (e.key === "Home") { byItself = false; seek(0); }
    else if (e.key === "End") { byItself = false; seek(D.span); }
    else return;
    e.preventDefault();
  });
  draw();
  pause();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  calm.addEventListener("change", () => { if (calm.matches && byItself) { pause(); seek(0); } });
  new IntersectionObserver((seen) => {
    const visible = seen[seen.length - 1].isIntersecting;
    if (visible && byItself && !calm.matches && !playing && now < D.span) play(); else if (!visible && playing) pause();
  }).observe($("stage"));
})();
