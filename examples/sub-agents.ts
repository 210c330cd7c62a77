/* Sub-agents: a session hands a task on, which may do no more than it may itself. The demo model does what it is told. */
import { delegateTool, openSkein } from 'skein'

await using skein = await openSkein({ store: 'memory:' })
const look = {
  name: 'look',
  description: 'Looks at the sea.',
  input: { type: 'object' },
  readOnly: true,
  run: () => 'two ferries',
}
const session = await skein.sessions.create({ tools: [look, delegateTool()], allowance: { tokens: 20_000 } })

// A model hands something on by calling the tool.
const turn = await session.send('/call delegate {"task":"/call look {}","tools":["look"]}').result()
console.log(turn.text)

// A host begins a child by itself.
const child = await session.spawn({ title: 'lookout', tools: ['look'], policy: { denyTools: ['look'] } })
console.log((await child.send('/call look {}').result()).text)

for (const { title, parent } of (await skein.sessions.list({ parent: session.id })).items)
  console.log(title, parent === session.id)
console.log((await session.entries({ types: ['child_started', 'child_ended'] })).map(({ type }) => type).join(' '))
console.log((await session.usage()).requests, (await session.usage({ tree: true })).requests)

/* Prints:
delegate returned: look returned: two ferries
look returned: Denied (run_policy_tool_denied): The run policy does not allow look.
lookout true
null true
child_started child_ended child_started child_ended
2 6
*/
