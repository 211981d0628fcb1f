import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { wire } from "../../src/wire.ts";

it("calls to MLflow go by the way into a private network, where one is bound, and by no other", async () => {
  const outside = vi.spyOn(globalThis, "fetch");
  const asked: string[] = [];
  const vpc: Fetcher = {
    fetch: async (input) => {
      asked.push(String(input));
      return Response.json({
        experiments: [{ experiment_id: "7", name: "private", lifecycle_stage: "active" }],
      });
    },
    connect: () => {
      throw new Error("nobody opens a socket");
    },
  };
  const { direct } = wire({ ...env, MLFLOW_VPC: vpc }, {});
  const found = await direct.searchExperiments({ maxResults: 1 });
  expect(found).toMatchObject({ ok: true });
  expect(asked).toEqual([expect.stringMatching(/^http:\/\/mlflow\.test\/api\/2\.0\/mlflow\//)]);
  expect(outside).not.toHaveBeenCalled();
});
