// The page's choices (currency, period, fold) and what follows from them.
const FOLD_NAMES = { day: "days", week: "weeks", month: "months", year: "years" };
const MAX_BUCKETS = 1200;
const MAX_CURRENCY_CARDS = 12;
const PRINTED_ROWS = 40;
const byId = (id) => document.getElementById(id);

// Null where there are no orders.
const packed = JSON.parse(byId("data").textContent) ?? { currencies: [], periods: [], last: "1970-01-01" };
const currencies = packed.currencies.map(unpackCurrency);
const lastDay = toDay(packed.last);
// What of the calendar a period is; nothing where it is some days on end.
const calendarFold = (key) => (key.includes("-") ? "month" : /^\d{4}$/.test(key) ? "year" : null);
const dailySince = packed.dailySince ? toDay(packed.dailySince) : null;
const periods = packed.periods.map(([key, since, until], at) => ({
  key,
  at,
  since: toDay(since),
  until: toDay(until),
  complete: !calendarFold(key) || FOLDS[calendarFold(key)](toDay(since))[1] <= lastDay + 1,
}));
// Days that were folded into months are on the first of theirs.
const all = periods[0];
for (const { rows } of currencies) {
  if (rows.length) all.since = Math.min(all.since, rows[0].day);
}
const chosen = { currency: 0, period: null, by: "day" };

const within = (rows, { since, until }) => rows.filter((row) => row.day >= since && row.day <= until);
const periodName = ({ key, since }) => {
  if (key === "all") return "All days";
  if (key === "365") return "Last 12 months";
  if (/^\d{1,3}$/.test(key)) return `Last ${key} days`;
  return key.includes("-") ? `${MONTHS[toDate(since).getUTCMonth()]} ${toDate(since).getUTCFullYear()}` : key;
};
const lowerFirst = (text) => (/^(Last|All)/.test(text) ? text[0].toLowerCase() + text.slice(1) : text);
const currencyName = (code) => code || "no currency";

function bucketCount(by, { since, until }) {
  const span = { day: 1, week: 7, month: 30.4, year: 365 }[by];
  return (until - since + 1) / span;
}

// Whether the page has no days of a period, but months.
const isMonthsAlone = ({ until }) => dailySince !== null && until < dailySince;

function usualFold(period) {
  const days = period.until - period.since + 1;
  return days > 3700 ? "year" : days > 200 || isMonthsAlone(period) ? "month" : days > 62 ? "week" : "day";
}

// The same length of time just before, where the figures reach back so far and the period is over.
function before({ key, since, until, complete }) {
  if (key === "all" || !complete) return null;
  let begin = since - (until - since + 1);
  if (calendarFold(key)) [begin] = FOLDS[calendarFold(key)](since - 1);
  return begin >= Math.max(all.since, dailySince ?? -Infinity) ? { since: begin, until: since - 1 } : null;
}

function change(now, then) {
  if (then === null || then <= 0n) return null;
  const sign = now > then ? "up" : now < then ? "down" : "same";
  const arrow = { up: "\u25b2", down: "\u25bc", same: "=" }[sign];
  return html("span", { class: `change ${sign}` }, `${arrow} ${percent(now > then ? now - then : then - now, then)}`);
}

function showCards() {
  const cards = currencies.slice(0, MAX_CURRENCY_CARDS).map(({ code, digits, rows }, at) => {
    const sum = addUp(within(rows, chosen.period));
    const by = bucketCount("week", chosen.period) > 90 ? "month" : bucketCount("day", chosen.period) > 90 ? "week" : "day";
    const line = bucketCount(by, chosen.period) > MAX_BUCKETS ? [] : fold(rows, by, chosen.period.since, chosen.period.until);
    const input = html("input", { type: "radio", name: "currency", value: at, id: `currency-${at}`, class: "unseen" });
    input.checked = at === chosen.currency;
    input.addEventListener("change", () => choose({ currency: at }));
    return html(
      "label",
      { class: "card currency", for: input.id },
      input,
      html("span", { class: "code" }, currencyName(code)),
      html("span", { class: "big" }, amountOf(sum.net, digits)),
      html("span", { class: "small" }, "net sales"),
      line.length ? sparkline(line) : null
    );
  });
  const focused = document.activeElement?.name === "currency";
  byId("currencies").replaceChildren(html("legend", { class: "unseen" }, "Currency"), ...cards);
  if (focused) byId(`currency-${chosen.currency}`).focus();
}

function showFacts({ code, digits, rows }, sum) {
  const earlier = before(chosen.period);
  const then = earlier ? addUp(within(rows, earlier)) : null;
  const average = ({ amount, orders }) => (orders ? divide(amount, orders) : 0n);
  const tile = (title, value, note, delta) =>
    html("div", { class: "tile" }, html("dt", {}, title), html("dd", {}, html("span", { class: "big" }, value)), html("dd", { class: "small" }, delta || note || "\u00a0"));
  const rate = trim(Number((sum.orders * 10n) / BigInt(chosen.period.until - chosen.period.since + 1)) / 10);
  const of = (step, whole, name) => (sum[whole] ? `${percent(sum[step], sum[whole])} of ${name}` : "");
  byId("facts").replaceChildren(
    tile("Net sales", amountOf(sum.net, digits), of("net", "amount", "the amount"), then && change(sum.net, then.net)),
    tile("Orders", count(sum.orders), `${rate} a day`, then && change(sum.orders, then.orders)),
    tile("Average order", amountOf(average(sum), digits), "of the amount", then && change(average(sum), average(then))),
    tile("Refunded", amountOf(sum.refunded, digits), of("refunded", "amount", "the amount"), null),
    tile("Cancelled", amountOf(sum.cancelled, digits), of("cancelled", "amount", "the amount"), null)
  );
  const range = `${dayName(chosen.period.since)} to ${dayName(chosen.period.until)}`;
  const compared = then ? `; change against ${dayName(earlier.since)} to ${dayName(earlier.until)}` : "";
  byId("range").replaceChildren(html("strong", {}, `${currencyName(code)}, ${lowerFirst(periodName(chosen.period))}`), ` ${range}${compared}`);
}

function bridgeSteps(sum, digits) {
  let left = 0n;
  const steps = [];
  for (const [step, sign] of [["gross", 0n], ["discount", -1n], ["tax", 1n], ["shipping", 1n], ["other", 1n], ["amount", 0n], ["refunded", -1n], ["cancelled", -1n], ["net", 0n]]) {
    const value = sum[step] * (sign || 1n);
    if (sign && !value) continue;
    const from = sign ? left : 0n;
    left = sign ? left + value : sum[step];
    const kind = sign ? (value < 0n ? "minus" : "plus") : "sum";
    const text = `${sign && value > 0n ? "+" : ""}${money(value, digits)}`;
    const facts = step === "gross" || !sum.gross ? [] : [["of gross sales", percent(value < 0n ? -value : value, sum.gross)]];
    steps.push({ step, title: TITLES[step], from, to: left, kind, text, facts, value });
  }
  return steps;
}

function showBridge({ code, digits }, sum) {
  const name = currencyName(code);
  const steps = bridgeSteps(sum, digits);
  const label = `From gross to net sales in ${name}, ${lowerFirst(periodName(chosen.period))}; the table below has the values`;
  drawBridge(byId("bridge"), steps, name, label);
  fill("bridge-table", () =>
    table(
      `From gross to net sales in ${name}`,
      ["step", `#${name}`, "#of gross"],
      steps.map(({ title, value, text }) => [title, html("data", { value: exact(value) }, text), percent(value, sum.gross)])
    )
  );
}

function showTime({ code, digits, rows }, sum, bridgeRows) {
  const name = currencyName(code);
  const fine = chosen.by === "day" || chosen.by === "week";
  const since = fine && dailySince !== null ? Math.max(chosen.period.since, dailySince) : chosen.period.since;
  const buckets = fold(rows, chosen.by, since, chosen.period.until);
  const label = `Net sales in ${name} by ${chosen.by}, ${lowerFirst(periodName(chosen.period))}; the table below has the values`;
  byId("time-title").textContent = `Net sales by ${chosen.by}`;
  byId("steps-title").textContent = `All steps by ${chosen.by}`;
  byId("time-note").textContent =
    since > chosen.period.since ? `Before ${dayName(since)} this page has months alone.` : "";
  drawTime(byId("time"), bridgeHeight(bridgeRows), buckets, chosen.by, name, digits, label);
  const steps = ["gross", "discount", "tax", "shipping", "other", "amount", "refunded", "cancelled", "net"];
  const cells = (row) => [count(row.orders), ...steps.map((step) => amountOf(row[step], digits))];
  const shown = since > chosen.period.since ? addUp(rows.filter((row) => row.day >= since && row.day <= chosen.period.until)) : sum;
  byId("time-table").classList.toggle("print", buckets.length <= PRINTED_ROWS);
  fill("time-table", () =>
    table(
      `From gross to net sales in ${name} by ${chosen.by}`,
      [chosen.by, "#orders", ...steps.map((step) => `#${TITLES[step].toLowerCase()}`)],
      buckets.map((bucket) => [bucketName(bucket, chosen.by), ...cells(bucket)]),
      ["total", ...cells(shown)]
    )
  );
}

function showShares(id, title, head, packedShares, names, describe, { code, digits }) {
  const shares = unpackShares(packedShares[chosen.period.at][chosen.currency], names);
  const largest = shares.reduce((most, share) => (share.name && share.amount > most ? share.amount : most), 0n);
  const rows = shares.map((share) => [
    share.name === null ? `${share.names} ${share.names === 1 ? "other" : "others"}` : describe(share.name),
    shareBar(share.name === null ? 0n : share.amount, largest),
    head[1] === "#orders" ? count(share.count / FOUR_PLACES) : quantity(share.count),
    amountOf(share.amount, digits),
    amountOf(share.net, digits),
  ]);
  const caption = `${title} in ${currencyName(code)}, ${lowerFirst(periodName(chosen.period))}`;
  byId(id).replaceChildren(
    rows.length ? table(caption, [head[0], "share", head[1], "#amount", "#net sales"], rows) : html("p", { class: "small" }, "No orders.")
  );
}
const FOUR_PLACES = 10n ** BigInt(PLACES);

// A table is made when somebody opens it: three years of days are a long one.
function fill(id, make) {
  const details = byId(id);
  details.make = make;
  details.querySelector(".scroll")?.remove();
  details.querySelector("button")?.remove();
  if (details.open) unfold(details);
}

function unfold(details) {
  if (!details.make || details.querySelector(".scroll")) return;
  const made = details.make();
  details.append(made);
  if (navigator.clipboard) details.append(copyButton("Copy table", () => tableText(made)));
}

const tableText = (made) =>
  [...made.querySelectorAll("tr")]
    .map((row) => [...row.cells].map((cell) => cell.querySelector("data")?.value ?? cell.textContent).join("\t"))
    .join("\n");

function copyButton(name, text) {
  const button = html("button", { type: "button", class: "copy" }, name);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here";
    }
    setTimeout(() => (button.textContent = name), 1500);
  });
  return button;
}

function showChoices() {
  for (const input of document.querySelectorAll("input[name=fold]")) {
    input.checked = input.value === chosen.by;
    const size = bucketCount(input.value, chosen.period);
    const isFine = input.value === "day" || input.value === "week";
    const isCoarse = size < 1.5 && input.value !== usualFold(chosen.period);
    input.disabled = size > MAX_BUCKETS || isCoarse || (isFine && isMonthsAlone(chosen.period));
  }
  byId("period").value = chosen.period.key;
}

function show() {
  const currency = currencies[chosen.currency];
  const sum = addUp(within(currency.rows, chosen.period));
  showChoices();
  if (currencies.length > 1) showCards();
  showFacts(currency, sum);
  showBridge(currency, sum);
  showTime(currency, sum, bridgeSteps(sum, currency.digits).length);
  const product = ([sku, name]) => html("span", { class: "name" }, html("bdi", {}, name || sku), name ? html("bdi", { class: "small" }, sku) : null);
  const country = (name) => html("bdi", {}, name || "unknown");
  showShares("products", "Products", ["product", "#quantity"], packed.products, packed.productNames, product, currency);
  showShares("countries", "Countries", ["country", "#orders"], packed.countries, packed.countryNames, country, currency);
}

function choose(change) {
  Object.assign(chosen, change);
  if (change.period) chosen.by = usualFold(chosen.period);
  show();
}

function offerPeriods() {
  const select = byId("period");
  const groups = [["Recent", /^(all|\d{1,3})$/], ["Years", /^\d{4}$/], ["Months", /-/]];
  for (const [name, form] of groups) {
    const some = periods.filter(({ key }) => form.test(key)).map((period) => html("option", { value: period.key }, periodName(period)));
    if (some.length) select.append(html("optgroup", { label: name }, ...some));
  }
  select.addEventListener("change", () => choose({ period: periods.find(({ key }) => key === select.value) }));
}

function offerFolds() {
  for (const by of Object.keys(FOLDS)) {
    const input = html("input", { type: "radio", name: "fold", value: by, id: `fold-${by}`, class: "unseen" });
    input.addEventListener("change", () => choose({ by }));
    byId("folds").append(input, html("label", { for: input.id }, FOLD_NAMES[by]));
  }
}

function start() {
  const recent = periods.find(({ key }) => key === "365") ?? all;
  chosen.period = bucketCount("day", recent) > 1 || recent !== all ? recent : all;
  chosen.by = usualFold(chosen.period);
  offerPeriods();
  offerFolds();
  byId("sales").hidden = false;
  show();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) show();
    width = window.innerWidth;
  });
  for (const details of document.querySelectorAll("details.table")) {
    details.addEventListener("toggle", () => details.open && unfold(details));
  }
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.print")) details.open = true;
    for (const details of document.querySelectorAll("details.table.print")) unfold(details);
  });
}

for (const code of document.querySelectorAll("code.command")) {
  if (navigator.clipboard) code.after(copyButton("Copy", () => code.textContent));
}
if (currencies.length) start();
