// Asks a server as a Node.js service would: node server.mjs BASE_URL TOKEN, prints one JSON object.
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const [url, token] = process.argv.slice(2);
const headers = [["Authorization", `Bearer ${token}`]];
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers }));
const client = OpenFeature.getClient();
const user = { targetingKey: "u1", country: "NO" };
const said = {
  bool: await client.getBooleanDetails("FLAG", false, user),
  elsewhere: await client.getBooleanDetails("FLAG", true, { targetingKey: "u1", country: "SE" }),
  integer: await client.getNumberDetails("COUNT", 0, user),
  float: await client.getNumberDetails("RATIO", 0, user),
  text: await client.getStringDetails("WORD", "", user),
  object: await client.getObjectDetails("SHAPE", {}, user),
  secret: await client.getStringDetails("HIDDEN", "mine", user),
  unknown: await client.getBooleanDetails("NOBODY_KNOWS", true, user),
  slash: await client.getBooleanDetails("a/b", true, user),
  anonymous: await client.getBooleanDetails("FLAG", true),
};
await OpenFeature.close();
const wrong = new OFREPProvider({ baseUrl: url, headers: [["Authorization", "Bearer wkt_nonsense"]] });
await OpenFeature.setProviderAndWait("wrong", wrong);
said.refused = await OpenFeature.getClient("wrong").getBooleanDetails("FLAG", true, user);
console.log(JSON.stringify(said));
