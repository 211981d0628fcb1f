import { curlOf } from "./curl.ts";
import type { OpenApiDocument, OperationObject, Response } from "./document.ts";
import { Description, nameOf, SchemaType, Text } from "./page-schema.tsx";

type Props = {
  api: OpenApiDocument;
  origin: string;
  method: string;
  path: string;
  operation: OperationObject;
};

/** One operation: what it takes, a command to copy, and what it answers. */
export function Operation({ api, origin, method, path, operation }: Props) {
  const { operationId, summary, description, security, parameters, requestBody, responses } = operation;
  const scope = security[0]?.bearer?.[0];
  return (
    <article id={operationId}>
      <h3>
        <a href={`#${operationId}`}>{summary}</a>
      </h3>
      <p class="address">
        <span class={`method ${method}`}>{method.toUpperCase()}</span> <code>{path}</code>{" "}
        <span class="scope">{scope === undefined ? "no token" : `scope ${scope}`}</span>
      </p>
      {description && (
        <p>
          <Text text={description} />
        </p>
      )}
      {parameters && <Parameters parameters={parameters} />}
      {requestBody && <RequestBody body={requestBody} />}
      <pre class="copy" tabindex={0}>
        {curlOf(origin, method, path, operation)}
      </pre>
      <Responses api={api} responses={responses} />
    </article>
  );
}

function Parameters({ parameters }: { parameters: NonNullable<OperationObject["parameters"]> }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Parameter</th>
          <th>Type</th>
          <th>What</th>
        </tr>
      </thead>
      <tbody>
        {parameters.map(({ name, in: where, schema, description }) => (
          <tr>
            <td>
              <code>{name}</code> <small>{where}</small>
            </td>
            <td>
              <SchemaType schema={schema} />
            </td>
            <td>
              <Description of={{ ...schema, description }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RequestBody({ body }: { body: NonNullable<OperationObject["requestBody"]> }) {
  return (
    <>
      <p>
        <strong>Body.</strong> <Text text={body.description} />
      </p>
      <ul>
        {Object.entries(body.content).map(([type, { schema }]) => (
          <li>
            <code>{type}</code>: <SchemaType schema={schema} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Responses({ api, responses }: { api: OpenApiDocument; responses: OperationObject["responses"] }) {
  return (
    <table class="answers">
      <thead>
        <tr>
          <th>Status</th>
          <th>When</th>
          <th>Body</th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(responses).map(([status, response]) => {
          const resolved = "$ref" in response ? api.components.responses[nameOf(response.$ref)] : response;
          return resolved && <ResponseRow status={status} response={resolved} />;
        })}
      </tbody>
    </table>
  );
}

function ResponseRow({ status, response }: { status: string; response: Response }) {
  return (
    <tr>
      <td>
        <span class={`status s${status.slice(0, 1)}`}>{status}</span>
      </td>
      <td>
        <Text text={response.description} />
        {Object.values(response.content).flatMap(({ examples = {} }) =>
          Object.values(examples).map(({ summary, value }) => (
            <details>
              <summary>Example{summary ? `: ${summary.toLowerCase()}` : ""}</summary>
              <pre>{JSON.stringify(value, null, 2)}</pre>
            </details>
          )),
        )}
      </td>
      <td>
        {Object.values(response.content).map(({ schema }) => (
          <SchemaType schema={schema} />
        ))}
      </td>
    </tr>
  );
}
