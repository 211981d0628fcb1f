import { Hono } from "hono";
import type { Child } from "hono/jsx";
import { readBreaker, serverOf } from "../../../relay/line/breaker.ts";
import { remembered } from "../../../remembered.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { iso } from "../../../store/listing/common.ts";
import { listPasses } from "../../../store/ops/passes.ts";
import { MAX_COUNTED, readStanding, type Standing } from "../../../store/views/standing.ts";
import { page } from "../../page.tsx";
import { Action } from "../../parts/action.tsx";
import { Badge } from "../../parts/badge.tsx";
import { Time } from "../../parts/time.tsx";
import { Delivery, frameOf } from "./frame.tsx";

/** `/delivery`: how the relay stands with MLflow, and what waits for an operator. */
export const overviewPage = new Hono<AppEnv>({ strict: false });

/** A pass is due every five minutes; two that are missing are a fault of the cron's trigger. */
const PASS_OVERDUE_MS = 11 * 60_000;

overviewPage.get("/", page("read"), async (c) => {
  const { relay, caller } = c.var;
  const [standing, breaker, [last]] = await Promise.all([
    readStanding(relay.db),
    readBreaker(relay),
    listPasses(relay.db, 1),
  ]);
  const isOpen = breaker?.state === "open";
  const isOverdue = last !== undefined && relay.now() - Date.parse(last.finished_at) > PASS_OVERDUE_MS;
  const title = "Delivery";
  return c.render(
    <Delivery
      at="/delivery"
      title={title}
      aside={<Action to="POST /api/ops/breaker/probe" label="Probe MLflow now" />}
    >
      <div data-live>
        {!relay.config.enabled && (
          <p class="alarm">
            Calls to MLflow are switched off (<code>MLFLOW_ENABLED</code>). What is reported is kept and
            waits.
          </p>
        )}
        {isOpen && (
          <p class="alarm">
            {breaker.alarm
              ? "MLflow's answers look like a wrong address or a wrong token: see MLFLOW_TRACKING_URI and its credentials. "
              : "MLflow is away. Nothing is lost: everything waits here, and goes on by itself. "}
            {breaker.lastError !== null && <q>{breaker.lastError}</q>}
          </p>
        )}
        {isOverdue && (
          <p class="alarm">
            The cron's last pass ended <Time at={last.finished_at} />. It should come every five minutes: see
            the Worker's triggers.
          </p>
        )}
        <div class="figures">
          <Figure
            name="Behind"
            value={most(standing.behind)}
            note="trials and model runs that MLflow lacks something of"
          />
          <Figure
            name="Waits since"
            value={<Time at={iso(standing.oldestAt)} />}
            note="the oldest event that is not delivered"
          />
          <Figure
            name="Blocked"
            value={most(standing.blocked)}
            bad={standing.blocked > 0}
            href="/delivery/blocked"
          />
          <Figure
            name="Dead letters"
            value={most(standing.deadLetters)}
            bad={standing.deadLetters > 0}
            href="/delivery/dead-letters"
          />
          <Figure
            name="Open conflicts"
            value={most(standing.conflicts)}
            bad={standing.conflicts > 0}
            href="/delivery/conflicts?state=open"
          />
          <Figure name="Jobs" value={most(standing.jobs)} note="that are not over" href="/delivery/jobs" />
          <Figure name="Files" value={most(standing.files)} note="on their way" />
        </div>
        <section class="panel">
          <h2>MLflow</h2>
          <dl class="facts">
            {caller.scopes.includes("admin") && (
              <>
                <dt>Address</dt>
                <dd>
                  <code>{serverOf(relay)}</code>
                </dd>
              </>
            )}
            <dt>Breaker</dt>
            <dd>
              <Badge word={isOpen ? "open" : "closed"} />
            </dd>
            <dt>Open since</dt>
            <dd>
              <Time at={isOpen ? iso(breaker.openedAt) : null} />
            </dd>
            <dt>Next probe</dt>
            <dd>
              <Time at={isOpen ? iso(breaker.probeAt) : null} />
            </dd>
            <dt>Failures in a row</dt>
            <dd>{breaker?.failures ?? 0}</dd>
            <dt>Last cron pass</dt>
            <dd>
              <Time at={last?.finished_at ?? null} />
            </dd>
          </dl>
        </section>
      </div>
    </Delivery>,
    frameOf(title),
  );
});

/** What stood so short a while ago still stands for the line at the top of every open page. */
const STANDING_FRESH_MS = 5_000;
const seen = remembered<{ at: number; standing: Standing; isOpen: boolean } | null>(() => null);

/** The line at the top of every page, as JSON; small, and 304 while nothing changes. */
overviewPage.get("/standing", page("read"), async (c) => {
  const { relay } = c.var;
  let last = seen.value;
  if (last === null || relay.now() - last.at > STANDING_FRESH_MS) {
    const [standing, breaker] = await Promise.all([readStanding(relay.db), readBreaker(relay)]);
    last = seen.value = { at: relay.now(), standing, isOpen: breaker?.state === "open" };
  }
  const { behind, oldestAt, blocked, deadLetters, conflicts } = last.standing;
  return c.json({
    mlflow: !relay.config.enabled ? "off" : last.isOpen ? "away" : "well",
    behind,
    oldest_at: iso(oldestAt),
    troubles: blocked + deadLetters + conflicts,
  });
});

function most(count: number): string {
  return count > MAX_COUNTED ? `${MAX_COUNTED}+` : String(count);
}

type FigureProps = { name: string; value: Child; note?: string; bad?: boolean; href?: string };

function Figure({ name, value, note, bad = false, href }: FigureProps) {
  const inner = (
    <>
      <span class="name">{name}</span>
      <strong class={bad ? "bad" : undefined}>{value}</strong>
      {note !== undefined && <small>{note}</small>}
    </>
  );
  return href === undefined ? (
    <div class="figure">{inner}</div>
  ) : (
    <a class="figure" href={href}>
      {inner}
    </a>
  );
}
