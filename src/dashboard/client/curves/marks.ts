import type uPlot from "uplot";
import type { Drawn, MarkKind } from "../lib/curves/drawn.ts";

const SIZE_PX = 4;

/** Draws what is no number at the edge of the plot: NaN as a cross at its foot, infinities as arrows where they point. */
export function drawMarks(plot: uPlot, lines: readonly { color: string; drawn: Drawn }[]): void {
  const { ctx, bbox, pxRatio } = { ctx: plot.ctx, bbox: plot.bbox, pxRatio: devicePixelRatio };
  const size = SIZE_PX * pxRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * pxRatio;
  for (const { color, drawn } of lines) {
    ctx.strokeStyle = color;
    ctx.beginPath();
    for (const { x, kind } of drawn.marks) {
      const left = plot.valToPos(x, "x", true);
      if (left < bbox.left || left > bbox.left + bbox.width) continue;
      const top = kind === "Infinity" ? bbox.top + size : bbox.top + bbox.height - size;
      for (const [fromX, fromY, toX, toY] of STROKES[kind]) {
        ctx.moveTo(left + fromX * size, top + fromY * size);
        ctx.lineTo(left + toX * size, top + toY * size);
      }
    }
    ctx.stroke();
  }
  ctx.restore();
}

/** Lines from and to, in sizes from the middle. */
const STROKES: Readonly<Record<MarkKind, readonly (readonly [number, number, number, number])[]>> = {
  NaN: [
    [-1, -1, 1, 1],
    [-1, 1, 1, -1],
  ],
  Infinity: [
    [-1, 1, 0, -1],
    [0, -1, 1, 1],
  ],
  "-Infinity": [
    [-1, -1, 0, 1],
    [0, 1, 1, -1],
  ],
};
