import { inkOf } from "./ink.ts";

const PAD = 12;
const LINE = 18;

/** A chart to keep: its plot under its name, and whose line is which. */
export function picture(
  host: HTMLElement,
  plot: HTMLCanvasElement,
  title: string,
  sources: readonly { name: string; color: string }[],
): HTMLCanvasElement {
  const ratio = devicePixelRatio;
  const head = PAD + LINE * (1 + (sources.length > 1 ? sources.length : 0));
  const canvas = document.createElement("canvas");
  canvas.width = plot.width + 2 * PAD * ratio;
  canvas.height = plot.height + (head + 2 * PAD) * ratio;
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  const ink = inkOf(host);
  context.fillStyle = getComputedStyle(host).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(plot, PAD * ratio, (head + PAD) * ratio);
  context.scale(ratio, ratio);
  context.font = ink.font.replace("11px", "600 14px");
  context.fillStyle = ink.text;
  context.fillText(title, PAD, PAD + LINE / 2);
  context.font = ink.font;
  if (sources.length > 1)
    for (const [i, { name, color }] of sources.entries()) {
      const y = PAD + LINE * (i + 1.6);
      context.fillStyle = color;
      context.fillRect(PAD, y - 4, 14, 3);
      context.fillStyle = ink.text;
      context.fillText(name, PAD + 20, y);
    }
  return canvas;
}
