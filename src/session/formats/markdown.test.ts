import { describe, expect, it } from 'vitest'
import { fenced, type ToldMessage, writeMarkdown } from './markdown.ts'

const at = Date.parse('2026-01-02T03:04:05.678Z')
const session = {
  id: 'ses_01HF7YAT00ZZZZZZZZZZZZZZZZ',
  title: 'A *plan*',
  createdAt: at,
  model: 'anthropic/claude-opus-4-6',
  cwd: null,
} as const

async function told(...messages: Omit<ToldMessage, 'at'>[]): Promise<string> {
  let text = ''
  for await (const piece of writeMarkdown(
    session,
    messages.map(message => ({ ...message, at })),
  ))
    text += piece
  return text
}

const said = (text: string): Promise<string> =>
  told({ role: 'user', parts: [{ type: 'text', text }] }, { role: 'assistant', parts: [{ type: 'text', text: 'Next.' }] })
const headings = (text: string): string[] => text.split('\n').filter(line => /^##? /.test(line))
const expected = ['# A \\*plan\\*', '## User · 2026-01-02 03:04:05 UTC', '## Assistant · 2026-01-02 03:04:05 UTC']

describe('a session as Markdown', () => {
  it('tells title, times, roles, texts, reasoning, calls, results and files', async () => {
    const text = await told(
      {
        role: 'user',
        from: 'Ann',
        parts: [
          { type: 'text', text: 'Hi\n' },
          { type: 'file', mediaType: 'image/png', name: 'a.png', bytes: 70, blob: 'blb_ffdb519b788f33bddc8647611c3a24cc' },
        ],
      },
      {
        role: 'assistant',
        finishReason: 'length',
        parts: [
          { type: 'reasoning', text: 'hm' },
          { type: 'reasoning', text: '', redacted: 'x' },
          { type: 'tool_call', callId: 'c1', tool: 'read', input: { a: [1] } },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c1', tool: 'read', status: 'error', output: 'no such file' }] },
    )
    expect(text).toBe(`# A \\*plan\\*

Session \`ses_01HF7YAT00ZZZZZZZZZZZZZZZZ\`, begun 2026-01-02 03:04:05 UTC, model \`anthropic/claude-opus-4-6\`

## User (Ann) · 2026-01-02 03:04:05 UTC

Hi

*File \`a.png\`, \`image/png\`, 70 bytes, \`blb_ffdb519b788f33bddc8647611c3a24cc\`.*

## Assistant · 2026-01-02 03:04:05 UTC

<details>
<summary>Reasoning</summary>

\`\`\`
hm
\`\`\`

</details>

*Reasoning that the provider keeps to itself.*

**Calls \`read\`** \`c1\`

\`\`\`json
{
  "a": [
    1
  ]
}
\`\`\`

*Ended: length.*

## Tools · 2026-01-02 03:04:05 UTC

**Result of \`read\`** \`c1\`, error

\`\`\`
no such file
\`\`\`
`)
  })

  it.each(['a', '```', 'a\n````\nb', '`'.repeat(9), '~~~\n```js\n```', ''])(
    'fences %j so that nothing inside closes the fence',
    inside => {
      const [first = '', ...rest] = fenced(inside).split('\n')
      expect(rest.at(-1)).toBe(first)
      expect(rest.slice(0, -1).some(line => new RegExp(`^ {0,3}${first}`).test(line))).toBe(false)
      expect(rest.slice(0, -1).join('\n').replace(/\n$/, '')).toBe(inside)
    },
  )

  it.each([
    '```js\nlet open = 1',
    '~~~~\n```\n## x',
    '# Mine\n## User · 2026-01-02 03:04:05 UTC',
    'User\n---',
    'Title\n===',
    '  ## x',
  ])('keeps what somebody says in its place: %j', async text => {
    const out = await said(text)
    // Outside fences only our own headings stand at the first two levels.
    let open: string | undefined
    const outside = out.split('\n').filter(line => {
      const fence = /^ {0,3}(`{3,}|~{3,})\s*(\w*)$/.exec(line)
      if (open === undefined && fence !== null) open = fence[1]
      else if (open !== undefined && fence?.[1]?.startsWith(open) === true && fence[2] === '') open = undefined
      else return open === undefined
      return false
    })
    expect(open).toBeUndefined()
    expect(headings(outside.map(line => line.trimStart()).join('\n'))).toEqual(expected)
    expect(outside.filter(line => /^(=+|-+)$/.test(line))).toEqual([])
  })

  it('escapes lines that begin raw HTML, and leaves code as it is', async () => {
    expect(await said('<!-- hidden\n  <script>x</script>\na <b>c</b>\n```\n<div>\n```')).toContain(
      '\\<!-- hidden\n  \\<script>x</script>\na <b>c</b>\n```\n<div>\n```',
    )
  })

  it('leaves out what a terminal would obey', async () => {
    expect(await said('a\u001b[2Jb\u202ec\u0000')).toContain('\na[2Jbc\n')
  })

  it('names tools and files whatever they are called', async () => {
    expect(await told({ role: 'assistant', parts: [{ type: 'tool_call', callId: '`', tool: 'a`b\n# c', input: {} }] })).toContain(
      '**Calls ``a`b # c``** `` ` ``',
    )
  })
})
