// Mailgun's own client: submits, asks, lists and cancels, and says what it understood. Arguments: base URL, key, addresses.
const FormData = globalThis.FormData;
const Mailgun = require("mailgun.js");

async function main([url, key, ...emails]) {
  const lists = new Mailgun(FormData).client({ username: "api", key, url }).validate.multipleValidation;
  const file = { data: Buffer.from(["email", ...emails, ""].join("\n")), filename: "list.csv" };
  const created = await lists.create("judged", { file });
  const job = await lists.get("judged");
  const listed = await lists.list({ limit: 10 });
  const cancelled = await lists.destroy("judged");
  return {
    id: created.id,
    message: created.message,
    status: job.status,
    quantity: job.quantity,
    link: job.downloadUrl.csv,
    listed: listed.jobs.map((each) => each.id),
    cancelled: cancelled.message ?? cancelled.body?.message,
  };
}

main(process.argv.slice(2))
  .catch((error) => ({ error: error.status ?? String(error), details: error.details }))
  .then((said) => console.log(JSON.stringify(said)));
