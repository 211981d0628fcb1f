import { table } from "../test/chaos/table.ts";
import type { delivery } from "./delivery.ts";

type Delivered = Awaited<ReturnType<typeof delivery>>;

/** How fast a backlog is brought to MLflow, beside a bare loop, in markdown. */
export function deliveryTable(delivered: Delivered): string {
  const drain = (what: string, of: Delivered["as_shipped"]) => ({
    [`a backlog of ${delivered.points} points`]: what,
    "points a second": of.relay_points_per_second,
    "the bare loop's": of.bare_points_per_second,
    share: of.share,
    "of each round": of.shares.join(", "),
    "of the careful loop": of.share_of_careful,
  });
  return [
    "## A backlog on its way",
    "Delivery of a backlog in 20 trials, against a bare loop that makes such a trial's run, sends its parameters and then its points in full `log-batch` calls one after the other, and ends it, right before and after; medians of three rounds. The careful loop does the same and makes sure of it as the relay does: a token in each call, and the run read in the end. In the last two rows as many other processes as there are cores spin beside both.",
    table([
      drain("MLflow as shipped, four processes", delivered.as_shipped),
      drain("MLflow with one process, `RELAY_MAX_CONCURRENT_CALLS` 1", delivered.one_process),
      drain("MLflow with one process, the relay not told", delivered.one_process_untold),
      drain("MLflow as shipped, every core busy with something else", delivered.as_shipped_busy),
      drain("MLflow with one process, told, every core busy with something else", delivered.one_process_busy),
    ]),
  ].join("\n\n");
}
