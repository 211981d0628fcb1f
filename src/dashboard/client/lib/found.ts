/** Where the dashboard shows what `/api/find` has found, and what can be gone to without asking. */

export type FoundItem = {
  kind: "model_run" | "trial" | "experiment" | "run";
  id: string;
  name: string;
  within: string | null;
};

export type Choice = { kind: string; name: string; about: string; href: string };

const PLACES: readonly Choice[] = [
  ["Model runs", "/"],
  ["Experiments", "/experiments"],
  ["Delivery", "/delivery"],
  ["Blocked", "/delivery/blocked"],
  ["Dead letters", "/delivery/dead-letters"],
  ["Refusals", "/delivery/refusals"],
  ["Conflicts", "/delivery/conflicts"],
  ["Jobs", "/delivery/jobs"],
  ["Cron passes", "/delivery/passes"],
  ["API", "/docs"],
].map(([name = "", href = ""]) => ({ kind: "page", name, about: "", href }));

const PATHS = {
  model_run: "/model-runs/",
  trial: "/trials/",
  experiment: "/experiments/",
  run: "/runs/",
} as const;

/** The pages whose name has the text in it. */
export function placesFor(text: string): Choice[] {
  return PLACES.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
}

export function choiceOf({ kind, id, name, within }: FoundItem): Choice {
  return {
    kind: kind.replace("_", " "),
    name,
    about: within ?? (name === id ? "" : id),
    href: PATHS[kind] + encodeURIComponent(id),
  };
}
