// Numbers and days as people read them, and elements to show them in.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const SVG = "http://www.w3.org/2000/svg";
const TITLES = {
  gross: "Gross sales",
  discount: "Discounts",
  tax: "Tax",
  shipping: "Shipping",
  other: "Other",
  amount: "Amount",
  refunded: "Refunded",
  cancelled: "Cancelled",
  net: "Net sales",
};

const group = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");

// An amount of four decimal places, all of them: as `check --json` has it.
function exact(amount) {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(PLACES + 1, "0");
  return `${amount < 0n ? "-" : ""}${digits.slice(0, -PLACES)}.${digits.slice(-PLACES)}`;
}

// Divided and rounded half-even.
function divide(number, by) {
  const sign = number < 0n ? -1n : 1n;
  const size = number * sign;
  const [whole, twice] = [size / by, (size % by) * 2n];
  return sign * (twice > by || (twice === by && whole & 1n) ? whole + 1n : whole);
}

// The amount in so many digits after the point.
function money(amount, digits) {
  const rounded = divide(amount, 10n ** BigInt(PLACES - digits));
  const text = (rounded < 0n ? -rounded : rounded).toString().padStart(digits + 1, "0");
  const sign = rounded < 0n ? "\u2212" : "";
  return sign + group(text.slice(0, text.length - digits)) + (digits ? `.${text.slice(-digits)}` : "");
}

const count = (number) => group(number.toString());
const quantity = (amount) => money(amount, PLACES).replace(/\.?0+$/, "");

// A share of a whole in per cent, to a tenth; nothing of nothing.
function percent(part, whole) {
  if (!whole) return "";
  const tenths = divide(part * 1000n * (whole < 0n ? -1n : 1n), whole < 0n ? -whole : whole);
  const size = tenths < 0n ? -tenths : tenths;
  return `${tenths < 0n ? "\u2212" : ""}${count(size / 10n)}.${size % 10n}%`;
}

// A tick of an axis: 1,500,000 as 1.5M.
function short(number) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e4, "k"]]) {
    if (Math.abs(number) >= size) return `${trim(number / (unit === "k" ? 1e3 : size))}${unit}`;
  }
  return trim(number);
}
const trim = (number) => group(String(Math.round(number * 100) / 100)).replace("-", "\u2212");

function dayName(day, { weekday = false, year = true } = {}) {
  const date = toDate(day);
  const text = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}${year ? ` ${date.getUTCFullYear()}` : ""}`;
  return weekday ? `${WEEKDAYS[date.getUTCDay()]} ${text}` : text;
}

function bucketName(bucket, by) {
  const date = toDate(bucket.since);
  if (by === "day") return dayName(bucket.since, { weekday: true });
  if (by === "week" || bucket.cut) return `${dayName(bucket.since)} to ${dayName(bucket.until)}`;
  return by === "month" ? `${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}` : `${date.getUTCFullYear()}`;
}

function append(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}
const html = (tag, attributes = {}, ...children) => append(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => append(document.createElementNS(SVG, tag), attributes, children);

// An amount as text for people, with its exact value for machines.
const amountOf = (amount, digits) => html("data", { value: exact(amount) }, money(amount, digits));

// A table: `columns` are its heads, those that begin with # of numbers; `foot` is the last row or null.
function table(caption, columns, rows, foot = null) {
  const isNumber = columns.map((column) => column.startsWith("#"));
  const line = (row, tag) =>
    html(
      "tr",
      {},
      ...row.map((cell, at) =>
        at ? html(tag, { class: isNumber[at] ? "number" : null }, cell) : html("th", { scope: "row" }, cell)
      )
    );
  const head = columns.map((name, at) =>
    html("th", { scope: "col", class: isNumber[at] ? "number" : null }, name.replace("#", ""))
  );
  return html(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    html(
      "table",
      {},
      html("caption", { class: "unseen" }, caption),
      html("thead", {}, html("tr", {}, ...head)),
      html("tbody", {}, ...rows.map((row) => line(row, "td"))),
      foot ? html("tfoot", {}, line(foot, "td")) : null
    )
  );
}
