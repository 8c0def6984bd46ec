// Holds objects of other projects' kinds against what those projects publish of them: types, required fields,
// values, and, what an API server would silently drop, fields that are not theirs.
//
// node resources.mjs < objects.json    a list of objects; one line for each problem, exit code 1 if there is any
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { text } from "node:stream/consumers";

const MODELS = [HTTPRoute, ServiceMonitor];

// The same value, which notes what of it is looked at: a validator looks at every field that its kind has.
function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  const fields = Object.entries(value).map(([key, inner]) => [key, watched(inner, `${path}/${key}`, seen)]);
  const copy = Array.isArray(value) ? fields.map(([, inner]) => inner) : Object.fromEntries(fields);
  return new Proxy(copy, {
    get(target, key) {
      if (typeof key === "string") seen.add(`${path}/${key}`);
      return target[key];
    },
  });
}

function* paths(value, path = "") {
  if (value === null || typeof value !== "object") return;
  for (const [key, inner] of Object.entries(value)) {
    yield `${path}/${key}`;
    yield* paths(inner, `${path}/${key}`);
  }
}

function problems(object) {
  const model = MODELS.find((each) => each.is(object));
  if (!model) return [`${object.apiVersion} ${object.kind}: no such kind`];
  const seen = new Set();
  try {
    model.prototype.validate.call(watched(object, "", seen));
  } catch (error) {
    return error.message.split(", ");
  }
  return [...paths(object)].filter((path) => !seen.has(path)).map((path) => `${path}: no such field`);
}

const found = JSON.parse(await text(process.stdin)).flatMap(problems);
for (const problem of found) console.log(problem);
process.exitCode = found.length ? 1 : 0;
