import type { Axis } from "../lib/axes.ts";

/** Whether an axis is logarithmic; none for an axis of texts. */
export function LogSwitch({ axis, label, onToggle }: { axis: Axis; label: string; onToggle: () => void }) {
  if (axis.kind === "category") return null;
  return (
    <label>
      <input
        type="checkbox"
        checked={axis.kind === "log"}
        disabled={axis.kind === "value" && axis.min <= 0}
        onInput={onToggle}
      />
      {label}
    </label>
  );
}
