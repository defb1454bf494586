// Asks a server as a page in a browser would: node web.mjs BASE_URL TOKEN. Reads commands from its input, one a line:
// {"context": {...}} changes who asks, {"refetch": true} asks again; answers each with what the page would show.
import { createInterface } from "node:readline";
import { OpenFeature } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

const [url, token] = process.argv.slice(2);
const asked = [];
const fetchImplementation = async (input, init) => {
  const request = input instanceof Request ? input : new Request(input, init);
  const answer = await fetch(request);
  asked.push({ status: answer.status, etag: request.headers.get("if-none-match") });
  return answer;
};
const provider = new OFREPWebProvider({
  baseUrl: url,
  headers: [["Authorization", `Bearer ${token}`]],
  pollInterval: 0,
  fetchImplementation,
});
const events = [];
provider.events?.addHandler?.("PROVIDER_CONFIGURATION_CHANGED", (one) => events.push(one?.flagsChanged ?? []));
await OpenFeature.setContext({ targetingKey: "u1", country: "SE" });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const show = () =>
  console.log(
    JSON.stringify({
      flag: client.getBooleanDetails("FLAG", false),
      count: client.getNumberDetails("COUNT", 0),
      ratio: client.getNumberDetails("RATIO", 0),
      asked: asked.splice(0),
      events: events.splice(0),
    }),
  );
show();
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.context) await OpenFeature.setContext(command.context);
  show();
  if (command.end) break;
}
await OpenFeature.close();
process.exit(0);
