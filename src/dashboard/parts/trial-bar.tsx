import type { TrialStatus } from "../../domain/types.ts";

const WIDTH = 96;
const HEIGHT = 6;
const ORDER: readonly TrialStatus[] = ["succeeded", "failed", "cancelled", "skipped", "running"];

/** How many trials there are of each status, as a bar and in words. */
export function TrialBar({
  counts,
  requested,
}: {
  counts: Readonly<Record<TrialStatus, number>>;
  requested: number | null;
}) {
  const total = ORDER.reduce((sum, status) => sum + counts[status], 0);
  const whole = Math.max(total, requested ?? 0, 1);
  const over = total - counts.running;
  const words = ORDER.flatMap((status) => (counts[status] > 0 ? [`${counts[status]} ${status}`] : [])).join(
    ", ",
  );
  let x = 0;
  return (
    <span class="trials" title={words}>
      <svg width={WIDTH} height={HEIGHT} role="img" aria-label={words || "no trials"}>
        <rect width={WIDTH} height={HEIGHT} class="rest" />
        {ORDER.map((status) => {
          const width = (counts[status] / whole) * WIDTH;
          const from = x;
          x += width;
          return width > 0 && <rect x={from} width={width} height={HEIGHT} class={status} />;
        })}
      </svg>
      <span>
        {over}/{Math.max(total, requested ?? 0)}
        {counts.failed > 0 && <small class="bad"> {counts.failed} failed</small>}
      </span>
    </span>
  );
}
