/** A moment; a script says how long ago that is, in the reader's own time zone. `at` is ISO 8601. */
export function Time({ at }: { at: string | null }) {
  if (at === null) return <span class="none">–</span>;
  return (
    <time datetime={at} data-ago>
      {at.slice(0, 16).replace("T", " ")} UTC
    </time>
  );
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** A length of time, in its two largest units; below a second in milliseconds. By clocks that differ it may be below 0. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  let rest = ms;
  const parts = UNITS.slice(first, first + 2).map(([name, size]) => {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    return whole === 0 ? "" : `${whole} ${name}`;
  });
  return parts.filter((part) => part !== "").join(" ");
}
