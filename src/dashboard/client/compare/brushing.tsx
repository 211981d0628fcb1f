import { useState } from "hono/jsx/dom";
import type { Axis } from "../lib/axes.ts";
import { type Brush, withBrushes } from "../lib/brushes.ts";
import { cellText } from "../lib/cell-text.ts";
import { labelOf } from "../lib/shown-columns.ts";
import { short } from "./words.ts";

type Props = {
  axes: readonly { name: string; axis: Axis }[];
  brushes: readonly Brush[];
  onChange: (brushes: readonly Brush[]) => void;
};

/** The same as dragging along an axis, for who does not drag: an axis, from and to. */
export function Brushing({ axes, brushes, onChange }: Props) {
  const [chosen, setChosen] = useState<string | null>(null);
  const { name, axis } = axes.find((one) => one.name === chosen) ?? axes[0] ?? {};
  if (name === undefined || axis === undefined) return null;
  const submit = (event: Event) => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const given = new FormData(event.target);
    const [first, last] = endsOf(axis);
    const [from, to] = [endIn(given.get("from"), first), endIn(given.get("to"), last)];
    onChange(withBrushes(brushes, name, [[Math.min(from, to), Math.max(from, to)]]));
  };
  return (
    <details class="scales">
      <summary>Brushes</summary>
      <div>
        <form class="brushing" onSubmit={submit}>
          <label>
            Axis
            <select
              onInput={({ target }: InputEvent) => {
                if (target instanceof HTMLSelectElement) setChosen(target.value);
              }}
            >
              {axes.map((one) => (
                <option key={one.name} value={one.name} selected={one.name === name}>
                  {titleOf(one.name)}
                </option>
              ))}
            </select>
          </label>
          <End key={`${name} from`} label="From" axis={axis} />
          <End key={`${name} to`} label="To" axis={axis} />
          <button type="submit">Brush</button>
        </form>
        <ul aria-label="Brushes">
          {brushes.map((brush) => (
            <li key={`${brush.name} ${brush.from}`}>
              {wordsOf(brush, axes.find((one) => one.name === brush.name)?.axis)}
              <button
                type="button"
                class="icon"
                aria-label={`No brush on ${titleOf(brush.name)}`}
                onClick={() => onChange(brushes.filter((other) => other !== brush))}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      </div>
    </details>
  );
}

/** An end of a stretch: a number, or one of the texts; where nothing is said, the axis's own. */
function End({ label, axis }: { label: "From" | "To"; axis: Axis }) {
  const name = label.toLowerCase();
  if (axis.kind !== "category")
    return (
      <label>
        {label}
        <input
          type="number"
          step="any"
          name={name}
          placeholder={cellText("", label === "From" ? axis.min : axis.max)}
        />
      </label>
    );
  return (
    <label>
      {label}
      <select name={name}>
        <option value="">any</option>
        {axis.names.map((text, place) => (
          <option value={place}>{short(text)}</option>
        ))}
      </select>
    </label>
  );
}

function endsOf(axis: Axis): [number, number] {
  return axis.kind === "category" ? [0, axis.names.length - 1] : [axis.min, axis.max];
}

function endIn(given: unknown, own: number): number {
  return typeof given === "string" && given !== "" ? Number(given) : own;
}

function titleOf(name: string): string {
  return short(`${labelOf(name).text} ${labelOf(name).kind}`.trim());
}

function wordsOf({ name, from, to }: Brush, axis: Axis | undefined): string {
  const end = (at: number, round: (at: number) => number) =>
    axis?.kind === "category" ? short(axis.names[round(at)] ?? "", 20) : cellText(name, at);
  return `${titleOf(name)}: ${end(from, Math.ceil)} to ${end(to, Math.floor)}`;
}
