// Verifalia's own client: submits, asks, downloads, lists and cancels, and says what it understood.
// Arguments: base URL, user, password, addresses.
const { VerifaliaRestClient, WaitOptions } = require("verifalia");

async function main([url, username, password, ...emails]) {
  const client = new VerifaliaRestClient({ username, password, baseUris: [url] });
  const balance = await client.credits.getBalance();
  const job = { name: "judged", deduplication: "Off", entries: emails.map((inputData) => ({ inputData })) };
  const submitted = await client.emailValidations.submit(job, WaitOptions.noWait);
  const { id } = submitted.overview;
  const asked = await client.emailValidations.get(id, WaitOptions.noWait);
  let table = "";
  for await (const part of await client.emailValidations.export(id, "text/csv")) table += part;
  const listed = [];
  for await (const each of client.emailValidations.list({ isBackward: false })) listed.push(each.name);
  await client.emailValidations.delete(id);
  return {
    id,
    status: asked.overview.status,
    words: asked.entries.map((entry) => entry.classification),
    table,
    listed,
    credits: balance.creditPacks + balance.freeCredits,
  };
}

main(process.argv.slice(2))
  .catch((error) => ({ error: error.constructor.name, message: String(error) }))
  .then((said) => console.log(JSON.stringify(said)));
