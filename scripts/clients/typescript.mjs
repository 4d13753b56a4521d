// The official TypeScript clients of 1.x (package sdk) and 2.x (package client) against a server: one line of JSON for
// each step. See `scripts/run_clients.py`.
import { createInterface } from 'node:readline';

const target = JSON.parse(process.argv[2]);
const newer = process.argv[3] === 'client';
const found = newer
  ? { ...(await import('@modelcontextprotocol/client')), ...(await import('@modelcontextprotocol/client/stdio')) }
  : {
      ...(await import('@modelcontextprotocol/sdk/client/index.js')),
      ...(await import('@modelcontextprotocol/sdk/client/stdio.js')),
      ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
    };
const say = (step, value) => console.log(JSON.stringify({ step, value }));
const client = new found.Client({ name: 'typescript', version: '1' }, { capabilities: {} });
await client.connect(
  target[0].startsWith('http')
    ? new found.StreamableHTTPClientTransport(new URL(target[0]))
    : new found.StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env }),
);
const call = (name, given, options) =>
  newer
    ? client.callTool({ name, arguments: given }, options)
    : client.callTool({ name, arguments: given }, undefined, options);
const structured = async (name, given) => {
  const result = await call(name, given);
  if (result.isError || !result.structuredContent) throw new Error(JSON.stringify(result.content));
  if (JSON.stringify(JSON.parse(result.content[0].text)) !== JSON.stringify(result.structuredContent))
    throw new Error('text and structured content differ');
  return result.structuredContent;
};

say('tools', (await client.listTools()).tools.map((one) => one.name));
say('resources', (await client.listResources()).resources.map((one) => one.uri));
say('templates', (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate));
say('prompts', (await client.listPrompts()).prompts.map((one) => one.name));
say('call', (await structured('route', { text: 'Explain what a mutex is.' })).decisions[0].status);
const done = await structured('dispatch', { text: 'review: long' });
let text = done.phases[0].answer;
let uri = done.phases[0].rest?.answer;
while (uri) {
  const { resource } = await structured('explain', { uri });
  text += resource.text;
  uri = resource.next;
}
say('long', [...text].length);
const whole = await client.readResource({ uri: `smista://answer/${done.job_id}/0` });
say('read', whole.contents[0].text === text);
say('prompt', (await client.getPrompt({ name: 'delegate', arguments: { task: 't' } })).messages[0].role);
const ref = { type: 'ref/prompt', name: 'review-with' };
say('complete', (await client.complete({ ref, argument: { name: 'model', value: 'oll' } })).completion.values);

const ending = new AbortController();
let heard = false;
const onprogress = ({ message }) => {
  if (heard) return;
  heard = true;
  say('progress', message);
  ending.abort();
};
await call('dispatch', { text: 'review: hold' }, { signal: ending.signal, onprogress }).catch(() => {});
say('cancel', 'sent');
await new Promise((resolve) => createInterface({ input: process.stdin }).once('line', resolve));
await client.close();
process.exit(0);
