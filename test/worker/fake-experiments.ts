import * as z from "zod";

/** The experiments of a tracking server in memory, as MLflow 3 keeps them. */

const asked = z.object({
  experiment_id: z.string().optional(),
  name: z.string().optional(),
  new_name: z.string().optional(),
  key: z.string().optional(),
  value: z.string().optional(),
  tags: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
});

/** No two experiments are made at the same time. */
let clock = 1_700_000_000_000;

export class FakeExperiment {
  name: string;
  lifecycle = "active";
  readonly createdAt = ++clock;
  readonly tags: Map<string, string>;

  constructor(name: string, tags: Iterable<readonly [string, string]> = []) {
    this.name = name;
    this.tags = new Map(tags);
  }
}

/** What MLflow refuses with, by its code. */
export class FakeRefusal {
  readonly status: number;
  readonly body: { error_code: string; message: string };

  constructor(error_code: string, message: string, status = 400) {
    this.status = status;
    this.body = { error_code, message };
  }
}

/** No two servers of one test have an id in common. */
let made = 0;

const none = () => new FakeRefusal("RESOURCE_DOES_NOT_EXIST", "No such experiment exists", 404);

export class FakeExperiments {
  readonly byId = new Map([["0", new FakeExperiment("Default")]]);
  /** Is told of an experiment whose runs go with it. */
  onLifecycle: (id: string, lifecycle: string) => void = () => {};

  /** Makes one, as somebody else would; its id. */
  add(name: string, tags: Iterable<readonly [string, string]> = []): string {
    const id = String(++made);
    this.byId.set(id, new FakeExperiment(name, tags));
    return id;
  }

  setLifecycle(id: string, lifecycle: string): void {
    const found = this.byId.get(id);
    if (found) found.lifecycle = lifecycle;
    this.onLifecycle(id, lifecycle);
  }

  named(name: string): [string, FakeExperiment] | null {
    return [...this.byId].find(([, one]) => one.name === name) ?? null;
  }

  answer(endpoint: string, query: URLSearchParams, sent: unknown): object | FakeRefusal {
    const body = asked.parse(sent);
    const id = body.experiment_id ?? query.get("experiment_id") ?? "";
    const found = this.byId.get(id);
    switch (endpoint) {
      case "experiments/get":
        return found ? this.#json(id, found) : none();
      case "experiments/get-by-name": {
        const named = this.named(query.get("experiment_name") ?? "");
        return named ? this.#json(...named) : none();
      }
      case "experiments/create": {
        const { name = "", tags } = body;
        if (this.named(name)) return taken();
        return {
          experiment_id: this.add(
            name,
            tags.map(({ key, value }) => [key, value]),
          ),
        };
      }
      case "experiments/update":
        if (found?.lifecycle !== "active") return none();
        if ((this.named(body.new_name ?? "")?.[0] ?? id) !== id) return taken();
        found.name = body.new_name ?? found.name;
        return {};
      case "experiments/delete":
      case "experiments/restore": {
        const [from, to] = endpoint.endsWith("delete") ? ["active", "deleted"] : ["deleted", "active"];
        if (found?.lifecycle !== from) return none();
        this.setLifecycle(id, to ?? "");
        return {};
      }
      case "experiments/set-experiment-tag":
        if (found?.lifecycle !== "active")
          return new FakeRefusal(
            "INVALID_PARAMETER_VALUE",
            `The experiment ${id} must be in the 'active' state`,
          );
        found.tags.set(body.key ?? "", body.value ?? "");
        return {};
      case "experiments/delete-experiment-tag":
        return found?.tags.delete(body.key ?? "")
          ? {}
          : new FakeRefusal("RESOURCE_DOES_NOT_EXIST", `No tag with name: ${body.key}`, 404);
      default:
        return none();
    }
  }

  #json(experiment_id: string, { name, lifecycle, tags, createdAt }: FakeExperiment) {
    return {
      experiment: {
        experiment_id,
        name,
        lifecycle_stage: lifecycle,
        creation_time: createdAt,
        tags: [...tags].map(([key, value]) => ({ key, value })),
      },
    };
  }
}

function taken(): FakeRefusal {
  return new FakeRefusal("RESOURCE_ALREADY_EXISTS", "Experiment already exists");
}
