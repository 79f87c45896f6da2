// Charts in SVG: drawn to the width that they have, with axes, units, and a tip that tells the value under the pointer.
const BAR = 20;
const ROW = 32;
const TICK_PX = 70;
const MAX_BARS = 130;
const FLOAT = 10 ** PLACES;

// Positions need no more than a float's precision; texts come from the exact amounts.
const approximate = (amount) => Number(amount) / FLOAT;

// A scale over the numbers and zero, from one position to another; with round ticks, about so many.
function makeScale(numbers, from, to, wanted) {
  const [low, high] = [Math.min(0, ...numbers), Math.max(0, ...numbers)];
  const span = high - low || 1;
  const rough = span / Math.max(1, wanted);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= rough * 0.999);
  const marks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) marks.push(at * step);
  const scale = (number) => from + ((number - low) / span) * (to - from);
  return { scale, marks };
}

function frame(host, height, label) {
  const width = Math.max(280, Math.floor(host.clientWidth) || 640);
  const attributes = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label };
  const drawing = svg("svg", attributes);
  const tip = html("div", { class: "tip", hidden: true });
  host.replaceChildren(drawing, tip);
  return { drawing, tip, width };
}

// Show what `pick` finds at a position: [title, [[name, value], ...], x, y], or null.
function explain({ drawing, tip, width }, pick) {
  const hide = () => {
    tip.hidden = true;
    pick(null, null);
  };
  const show = (event) => {
    const box = drawing.getBoundingClientRect();
    const scale = width / box.width;
    const found = pick((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
    if (!found) return hide();
    const [title, facts, x, y] = found;
    const lines = facts.map(([name, value]) => html("span", {}, html("i", {}, name), html("b", {}, value)));
    tip.replaceChildren(html("strong", {}, title), ...lines);
    tip.hidden = false;
    const left = Math.min(Math.max(x / scale - tip.offsetWidth / 2, 0), box.width - tip.offsetWidth);
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = `${Math.max(0, y / scale - tip.offsetHeight - 10)}px`;
  };
  drawing.addEventListener("pointermove", show);
  drawing.addEventListener("pointerdown", show);
  drawing.addEventListener("pointerleave", hide);
}

const bridgeHeight = (steps) => Math.max(6, steps) * ROW + 26;

// The bridge: a step a row, from the left edge of what it adds to, to the right edge of what it leaves.
function drawBridge(host, steps, currency, label) {
  const figure = frame(host, bridgeHeight(steps.length), label);
  const { drawing, width } = figure;
  const left = width < 460 ? 82 : 96;
  const right = width - Math.max(...steps.map((step) => step.text.length)) * 7.6 - 12;
  const edges = steps.flatMap((step) => [approximate(step.from), approximate(step.to)]);
  const { scale, marks } = makeScale(edges, left, right, Math.floor((right - left) / TICK_PX));
  const bottom = steps.length * ROW;
  for (const mark of marks) {
    const x = scale(mark);
    drawing.append(
      svg("line", { class: mark ? "grid" : "zero", x1: x, x2: x, y1: 0, y2: bottom }),
      svg("text", { class: "tick", x, y: bottom + 16, "text-anchor": "middle" }, short(mark))
    );
  }
  drawing.append(svg("text", { class: "unit", x: width, y: bottom + 16, "text-anchor": "end" }, currency));
  steps.forEach((step, at) => {
    const top = at * ROW + (ROW - BAR) / 2;
    const [low, high] = [scale(approximate(step.from)), scale(approximate(step.to))].sort((a, b) => a - b);
    const bar = { class: `bar ${step.kind}`, x: low, y: top, width: Math.max(2, high - low), height: BAR, rx: 2 };
    const end = scale(approximate(step.to));
    drawing.append(
      svg("text", { class: `label ${step.kind}`, x: 0, y: top + 14 }, step.title),
      svg("rect", bar),
      svg("text", { class: `value ${step.kind}`, x: width, y: top + 14, "text-anchor": "end" }, step.text)
    );
    if (at + 1 < steps.length) {
      drawing.append(svg("line", { class: "link", x1: end, x2: end, y1: top + BAR, y2: top + ROW }));
    }
  });
  explain(figure, (x, y) => {
    const at = y === null ? -1 : Math.floor(y / ROW);
    if (at < 0 || at >= steps.length) return null;
    const step = steps[at];
    return [step.title, [[currency, step.text], ...step.facts], scale(approximate(step.to)), at * ROW + 6];
  });
}

// Net sales over time; what was refunded or cancelled on top of them, so that a bar's whole length is the amount.
function drawTime(host, height, buckets, by, currency, digits, label) {
  const figure = frame(host, height, label);
  const { drawing, width } = figure;
  const net = buckets.map((bucket) => approximate(bucket.net));
  const amount = buckets.map((bucket) => approximate(bucket.amount));
  const [right, top, bottom] = [width - 4, 26, height - 34];
  const { scale, marks } = makeScale([...net, ...amount], bottom, top, 5);
  const labels = marks.map(short);
  const left = Math.max(...labels.map((text) => text.length)) * 7 + 12;
  const slot = (right - left) / buckets.length;
  marks.forEach((mark, at) => {
    const y = scale(mark);
    drawing.append(
      svg("line", { class: mark ? "grid" : "zero", x1: left, x2: right, y1: y, y2: y }),
      svg("text", { class: "tick", x: left - 8, y: y + 4, "text-anchor": "end" }, labels[at])
    );
  });
  drawing.append(svg("text", { class: "unit", x: 0, y: 11 }, `${currency} a ${by}`));
  const middle = (at) => left + (at + 0.5) * slot;
  if (buckets.length > MAX_BARS) drawing.append(...drawLine(net, middle, scale));
  else buckets.forEach((_, at) => drawing.append(...drawBar(net[at], amount[at], middle(at), slot, scale)));
  drawDates(drawing, buckets, by, middle, { right, bottom, slot });
  const cursor = svg("rect", { class: "cursor", y: top, height: bottom - top, width: Math.max(1, slot), visibility: "hidden" });
  drawing.append(cursor);
  explain(figure, (x) => {
    const at = x === null ? -1 : Math.floor((x - left) / slot);
    cursor.setAttribute("visibility", at >= 0 && at < buckets.length ? "visible" : "hidden");
    if (at < 0 || at >= buckets.length) return null;
    cursor.setAttribute("x", left + at * slot);
    const bucket = buckets[at];
    const facts = ["net", "amount", "refunded", "cancelled"]
      .filter((step) => bucket[step] || step === "net")
      .map((step) => [TITLES[step], `${currency} ${money(bucket[step], digits)}`]);
    const y = scale(Math.max(0, net[at], amount[at]));
    return [bucketName(bucket, by), [...facts, ["Orders", count(bucket.orders)]], middle(at), y];
  });
}

function drawBar(net, amount, x, slot, scale) {
  const width = Math.max(1, Math.min(slot * 0.72, 44));
  const bar = (kind, from, to) => {
    const [y, low] = [scale(Math.max(from, to)), scale(Math.min(from, to))];
    return svg("rect", { class: `bar ${kind}`, x: x - width / 2, y, width, height: Math.max(0, low - y), rx: 1.5 });
  };
  return [...(amount > net ? [bar("minus", Math.max(0, net), amount)] : []), bar("sum", 0, net)];
}

function drawLine(net, middle, scale) {
  const points = net.map((number, at) => `${middle(at).toFixed(1)},${scale(number).toFixed(1)}`);
  const zero = scale(0).toFixed(1);
  const area = `M${middle(0).toFixed(1)},${zero}L${points.join("L")}L${middle(net.length - 1).toFixed(1)},${zero}Z`;
  return [svg("path", { class: "area", d: area }), svg("path", { class: "line", d: `M${points.join("L")}` })];
}

// Dates below the axis: as many as there is room for, a year where it begins.
function drawDates(drawing, buckets, by, middle, { right, bottom, slot }) {
  const every = Math.max(1, Math.ceil((by === "year" ? 40 : by === "month" ? 36 : 50) / slot));
  let year = null;
  buckets.forEach((bucket, at) => {
    if (at % every) return;
    const date = toDate(bucket.since);
    const name = by === "year" ? "" : by === "month" ? MONTHS[date.getUTCMonth()] : dayName(bucket.since, { year: false });
    const isNew = date.getUTCFullYear() !== year;
    year = date.getUTCFullYear();
    const x = Math.min(middle(at), right - 14);
    if (name) drawing.append(svg("text", { class: "tick", x, y: bottom + 15, "text-anchor": "middle" }, name));
    if (isNew) {
      drawing.append(svg("text", { class: "tick year", x, y: bottom + (name ? 28 : 15), "text-anchor": "middle" }, year));
    }
  });
}

// The course of net sales in the breadth of a thumb.
function sparkline(buckets) {
  const net = buckets.map((bucket) => approximate(bucket.net));
  const [low, high] = [Math.min(0, ...net), Math.max(0, ...net)];
  const scale = (number) => 23 - ((number - low) / (high - low || 1)) * 22;
  const drawing = svg("svg", { viewBox: "0 0 100 24", class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(...drawLine(net, (at) => (net.length > 1 ? (at / (net.length - 1)) * 100 : 50), scale));
  return drawing;
}

// A bar behind a number of a table, of its share of the largest one.
function shareBar(part, largest) {
  const share = largest > 0n && part > 0n ? Number((part * 1000n) / largest) / 10 : 0;
  const drawing = svg("svg", { class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(svg("rect", { class: "track", width: 100, height: 8 }), svg("rect", { class: "bar sum", width: share, height: 8 }));
  return drawing;
}
