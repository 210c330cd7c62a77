import { createModels, credentialFile, type Connector, type OAuth, scriptedModel } from '#models'

const [file = '', provider = ''] = process.argv.slice(2)

/** Asks the token server of the test; each refresh token is good for once. */
const refresh: Connector['refresh'] = async ({ refreshToken }, signal) => {
  const answer = await fetch(provider, { method: 'POST', body: refreshToken, signal })
  if (!answer.ok) throw Object.assign(new Error('refused'), { status: answer.status })
  return (await answer.json()) as OAuth
}

const models = createModels({ store: credentialFile(file) })
models.register({
  provider: 'openai-codex',
  connect: credential => scriptedModel([credential.kind === 'oauth' ? credential.oauth.accessToken : credential.kind]),
  refresh,
})

// All begin together: when the test says so.
process.stdout.write('ready\n')
await new Promise(resolve => process.stdin.once('data', resolve))
const model = await models.connect('openai-codex/gpt-5.4')
for await (const event of model.stream({ messages: [], tools: [] }, new AbortController().signal))
  if (event.type === 'text_delta') process.stdout.write(`${event.text}\n`)
process.exit(0)
