/** What is shown in docs/images, one picture each. `path` may ask the relay for an id first. */

type Get = (path: string) => Promise<Record<string, unknown>>;

export type Shot = {
  /** The picture's name, without its ending. */
  name: string;
  path: string | ((get: Get) => Promise<string>);
  dark?: boolean;
  height?: number;
};

export const SHOTS: readonly Shot[] = [
  { name: "model-runs", path: "/", height: 520 },
  { name: "experiments", path: "/experiments", height: 420, dark: true },
  { name: "run", path: firstRun, height: 760 },
];

async function firstRun(get: Get): Promise<string> {
  const { runs } = await get("/api/runs?limit=1&linked=true");
  const [run] = Array.isArray(runs) ? runs : [];
  return `/runs/${run?.mlflow_run_id}`;
}
