import { Hono } from "hono";
import { toPairs } from "../../../domain/pairs.ts";
import { LEDGER_STATES } from "../../../domain/words.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readCursor, toPage } from "../../../routes/door/cursor.ts";
import { found, maybe, oneOf, readQuery, someText } from "../../../routes/door/query.ts";
import { ledgerPage } from "../../../store/views/ledger.ts";
import { readTrialFacts } from "../../../store/views/trial.ts";
import { readTrialWay } from "../../../store/views/trial-way.ts";
import { STATE_PARAMETERS } from "../../client/lib/curves/state.ts";
import { page } from "../../page.tsx";
import { Texts } from "../../parts/facts.tsx";
import { mlflowAddress } from "../../parts/mlflow-anchor.tsx";
import { TrialConflicts } from "./conflicts.tsx";
import { TrialHead, TrialTimes, WhyItFailed } from "./head.tsx";
import { TrialLedger } from "./ledger.tsx";
import { TrialMetrics } from "./metrics.tsx";
import { TrialWay } from "./way.tsx";

const LEDGER_ROWS = 25;

/** What the curves of a page are shown by is their script's own, and the list of events is the same whatever that is. */
const curvesQuery = Object.fromEntries(STATE_PARAMETERS.map((name) => [name, maybe(someText, "")]));
const query = {
  ...curvesQuery,
  cursor: maybe(someText, ""),
  ledger: maybe(oneOf(LEDGER_STATES), ""),
};

/** `/trials/:key`: all of one trial, its curves, and what became of what it said. */
export const trialPage = new Hono<AppEnv>({ strict: false });

trialPage.get("/trials/:key", page("read"), async (c) => {
  const { relay, caller } = c.var;
  const key = c.req.param("key");
  const { cursor, ledger } = readQuery(c, query);
  const trial = found(await readTrialFacts(relay.db, key), `trial ${key}`);
  const after = Number(readCursor(c, cursor, STATE_PARAMETERS)?.id ?? 0);
  const [way, rows] = await Promise.all([
    readTrialWay(relay.db, trial.streamId),
    ledgerPage(relay.db, trial.streamId, { state: ledger }, after, LEDGER_ROWS),
  ]);
  const events = toPage(c, rows, LEDGER_ROWS, STATE_PARAMETERS);
  const url = new URL(c.req.url);
  const { mlflow_experiment_id: experiment, mlflow_run_id: run } = trial;
  const there = run === null ? null : mlflowAddress(relay, experiment, run);
  const its = new URLSearchParams({
    ...(trial.model_run_id === null ? {} : { model_run_id: trial.model_run_id }),
    trial_id: trial.trial_id,
  }).toString();
  const name = trial.run_name ?? trial.trial_id;
  return c.render(
    <>
      <div data-live>
        <TrialHead trial={trial} there={there} />
        <div class="columns">
          <TrialTimes trial={trial} />
          {way && <TrialWay trial={trial} way={way} its={its} mayAct={caller.scopes.includes("admin")} />}
        </div>
        <WhyItFailed fields={trial.fields} />
      </div>
      <output id="verdict" class="hint" />
      <section aria-labelledby="curves-title">
        <h2 id="curves-title">Curves</h2>
        <div id="curves" class="curves" data-trials={key} />
      </section>
      <div data-live>
        <TrialMetrics metrics={trial.metrics} />
        <div class="columns">
          <Texts title="Parameters" pairs={toPairs(trial.parameters)} />
          <Texts title="Tags" pairs={toPairs(trial.tags)} />
        </div>
        <TrialConflicts conflicts={trial.conflicts} its={its} />
      </div>
      <section class="panel" id="files" data-trial={key} aria-labelledby="files-title">
        <h2 id="files-title">Files</h2>
        <p class="hint">Asked for as you come to it.</p>
      </section>
      <div data-live>
        <TrialLedger events={events.rows} next={events.next_cursor} url={url} state={ledger} />
      </div>
    </>,
    { title: name, place: "/", scripts: ["curves", "trial"] },
  );
});
