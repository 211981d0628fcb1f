import { labelOf } from "../lib/shown-columns.ts";
import { short } from "./words.ts";

type Props = { label: string; names: readonly string[]; chosen: string; onChoose: (name: string) => void };

/** One column of many. */
export function Choice({ label, names, chosen, onChoose }: Props) {
  return (
    <label class="choice">
      {label}
      <select
        onInput={({ target }: InputEvent) => {
          if (target instanceof HTMLSelectElement) onChoose(target.value);
        }}
      >
        {names.map((name) => (
          <option key={name} value={name} selected={name === chosen}>
            {`${short(labelOf(name).text)} ${labelOf(name).kind}`}
          </option>
        ))}
      </select>
    </label>
  );
}
