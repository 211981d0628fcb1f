/** Times in words that age while a page is open. */

const EVERY_MS = 10_000;
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });

/** How long before `now` a moment is, in its largest unit; both in epoch milliseconds. */
export function ago(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  const unit = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  if (!unit) return Math.abs(seconds) < 5 ? "now" : words.format(seconds, "second");
  return words.format(Math.trunc(seconds / unit[1]), unit[0]);
}

const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function showTimes(): void {
  const now = Date.now();
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    const at = Date.parse(element.dateTime);
    const text = ago(at, now);
    if (element.textContent !== text) element.textContent = text;
    if (element.title === "") element.title = whole.format(at);
  }
}

/** Keeps every `<time data-ago>` of the page in words. */
export function keepTimes(): void {
  showTimes();
  setInterval(showTimes, EVERY_MS);
  document.addEventListener("relay:fresh", showTimes);
}
