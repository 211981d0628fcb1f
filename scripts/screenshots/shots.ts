/** What is shown in docs/images, one picture each. `path` may ask the relay for an id first. */

type Get = (path: string) => Promise<Record<string, unknown>>;

export type Shot = {
  /** The picture's name, without its ending. */
  name: string;
  path: string | ((get: Get) => Promise<string>);
  dark?: boolean;
  height?: number;
  /** What is brought to the top of the picture. */
  from?: string;
};

export const SHOTS: readonly Shot[] = [
  { name: "model-runs", path: "/", height: 520 },
  { name: "experiments", path: "/experiments", height: 420, dark: true },
  { name: "run", path: firstRun, height: 760 },
  { name: "trials", path: ofStudy((id) => `/model-runs/${id}`), height: 700 },
  { name: "compare", path: ofStudy((id) => `/compare?model_run=${id}`), height: 700, dark: true },
  {
    name: "curves",
    path: ofStudy((id) => `/compare?model_run=${id}&smooth=0.5`),
    height: 720,
    from: ".curves-of",
  },
  { name: "delivery", path: "/delivery", height: 620 },
];

/** Of the demo's search. */
function ofStudy(path: (id: string) => string) {
  return async (get: Get): Promise<string> => {
    const { model_runs } = await get("/api/model-runs?limit=1");
    const [study] = Array.isArray(model_runs) ? model_runs : [];
    return path(encodeURIComponent(study?.model_run_id));
  };
}

async function firstRun(get: Get): Promise<string> {
  const { runs } = await get("/api/runs?limit=1&linked=true");
  const [run] = Array.isArray(runs) ? runs : [];
  return `/runs/${run?.mlflow_run_id}`;
}
