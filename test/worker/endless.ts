import { type Deps, onShare } from "../../src/relay/deps.ts";
import { Budget, MAX_STATEMENTS } from "../../src/store/database/budget.ts";

/** The relay's effects for a test that plays many invocations with them: their budget has no end. */
export function endless(deps: Deps): Deps {
  return onShare(
    deps,
    Budget.ofInvocation(() => 0, Number.POSITIVE_INFINITY),
  );
}

/** The same for one invocation, which begins now. */
export function invocation(deps: Deps, statements = MAX_STATEMENTS): Deps {
  return onShare(deps, Budget.ofInvocation(deps.now, statements));
}
