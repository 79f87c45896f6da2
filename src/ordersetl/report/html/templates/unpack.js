// Figures as the page carries them (series.py packs them), and their exact sums: amounts are BigInts, never floats.
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUE_OF = new Map([...DIGITS].map((digit, value) => [digit, value]));
const PLACES = 4;
const STEPS = ["gross", "discount", "tax", "shipping", "amount", "refunded", "cancelled"];
const MS_A_DAY = 86400000;

// Base64 VLQ, as in source maps: https://tc39.es/ecma426/#sec-base64-vlq
function unpack(text) {
  const numbers = [];
  let number = 0n;
  let shift = 0n;
  for (const digit of text) {
    const bits = VALUE_OF.get(digit);
    number |= BigInt(bits & 31) << shift;
    shift += 5n;
    if (!(bits & 32)) {
      numbers.push(number & 1n ? -(number >> 1n) : number >> 1n);
      number = shift = 0n;
    }
  }
  return numbers;
}

// Days since 1970 of an ISO date, and back.
const toDay = (iso) => Date.parse(`${iso}T00:00:00Z`) / MS_A_DAY;
const toDate = (day) => new Date(day * MS_A_DAY);

// One currency: its rows by day, each with the steps as BigInts of four decimal places.
function unpackCurrency(packed) {
  const scale = 10n ** BigInt(PLACES - packed.places);
  const columns = Object.fromEntries(STEPS.map((step) => [step, unpack(packed[step])]));
  const orders = unpack(packed.orders);
  let day = 0;
  const rows = unpack(packed.day).map((distance, at) => {
    day += Number(distance);
    const row = { day, orders: orders[at] };
    for (const step of STEPS) row[step] = columns[step][at] * scale;
    return row;
  });
  return { code: packed.code, digits: packed.digits, rows };
}

// Products or countries of a period and currency: largest first, the others last, without a name.
function unpackShares(text, names) {
  const numbers = unpack(text);
  const shares = [];
  for (let at = 0; at < numbers.length; at += 5) {
    const [name, count, ...figures] = numbers.slice(at, at + 5);
    const known = name > 0n ? names[Number(name) - 1] : null;
    shares.push({ name: known, names: Number(count), count: figures[0], amount: figures[1], net: figures[2] });
  }
  return shares;
}

// From gross to net sales over some rows: amount = gross - discount + tax + shipping + other.
function addUp(rows) {
  const sum = { orders: 0n };
  for (const step of STEPS) sum[step] = 0n;
  for (const row of rows) {
    sum.orders += row.orders;
    for (const step of STEPS) sum[step] += row[step];
  }
  sum.other = sum.amount - sum.gross + sum.discount - sum.tax - sum.shipping;
  sum.net = sum.amount - sum.refunded - sum.cancelled;
  return sum;
}

// What a day belongs to: the first day of its day, week (from Monday), month or year, and of the next one.
const FOLDS = {
  day: (day) => [day, day + 1],
  week: (day) => {
    const monday = day - ((((day + 3) % 7) + 7) % 7);
    return [monday, monday + 7];
  },
  month: (day) => {
    const date = toDate(day);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return [Date.UTC(year, month, 1) / MS_A_DAY, Date.UTC(year, month + 1, 1) / MS_A_DAY];
  },
  year: (day) => {
    const year = toDate(day).getUTCFullYear();
    return [Date.UTC(year, 0, 1) / MS_A_DAY, Date.UTC(year + 1, 0, 1) / MS_A_DAY];
  },
};

// Sums of each day, week, month or year from `since` to `until`, those without orders too; cut to these two.
function fold(rows, by, since, until) {
  const buckets = [];
  let at = rows.findIndex((row) => row.day >= since);
  if (at < 0) at = rows.length;
  for (let begin = since; begin <= until; ) {
    const [first, next] = FOLDS[by](begin);
    const last = Math.min(next - 1, until);
    const own = [];
    while (at < rows.length && rows[at].day <= last) own.push(rows[at++]);
    buckets.push({ since: begin, until: last, cut: begin !== first || last !== next - 1, ...addUp(own) });
    begin = last + 1;
  }
  return buckets;
}
