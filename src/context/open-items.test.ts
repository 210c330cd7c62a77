import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { carriedOver, itemsLeftBy, maxOpenItems, openItemsOf, untoldTicks } from './open-items.ts'

describe('open items of texts', () => {
  it('are their `- [ ]` lines, each once', () => {
    expect(openItemsOf(['Plan:\n- [ ] write the parser\n  * [ ] test it\nnot [ ] this', '- [ ] write the parser'])).toEqual([
      '- [ ] test it',
      '- [ ] write the parser',
    ])
  })

  it('end with a later tick, in other words too', () => {
    expect(openItemsOf(['- [ ] write the config parser', '- [x] write the config parser'])).toEqual([])
    expect(openItemsOf(['- [ ] write the config parser', '- [X] the config parser: write it (done)'])).toEqual([])
    expect(openItemsOf(['- [x] write the parser', '- [ ] write the parser'])).toEqual(['- [ ] write the parser'])
  })

  it('are never more than can be kept, and the newest', () => {
    const many = Array.from({ length: 5_000 }, (_, n) => `- [ ] task ${n}`)
    expect(openItemsOf([many.join('\n')])).toEqual(many.slice(-maxOpenItems))
  })

  it('are told apart from ticks of what was open before, each once', () => {
    const [list, again] = ['- [ ] sow\n- [ ] water', '- [x] sow\n- [x] plough the field (on Monday)\n- [ ] water']
    expect(itemsLeftBy([list, again, again])).toEqual({
      open: ['- [ ] water'],
      closed: ['- [x] sow'],
      ticked: ['- [x] plough the field (on Monday)'],
    })
    expect(itemsLeftBy(['- [x] sow', '- [ ] sow']).ticked).toEqual([])
    // Alike are the reasons alone.
    const reasons = ['- [x] sow the north field (done and checked)', '- [x] mend the old fence (done and checked)']
    expect(itemsLeftBy(reasons).ticked).toEqual(reasons)
  })

  it('are found in any text', () => {
    for (const text of [' '.repeat(1e6), '- [ ] '.repeat(2e5), `- [x] ${'('.repeat(1e6)}`, '\n- [x] a'.repeat(1e5)]) {
      expect(openItemsOf([text, '- [ ] last'])).toContain('- [ ] last')
    }
  })
})

describe('carrying over', () => {
  const items = ['- [ ] rotate the signing key before Friday', '- [ ] 更新数据库连接配置']

  verifies('C73', 'an open item that a proposal drops is carried over; one closed with a reason is not', () => {
    expect(carriedOver(items, 'All is well.')).toEqual(items)
    expect(
      carriedOver(items, '- [x] rotate the signing key before Friday (rotated on Tuesday)\n- [ ] 更新数据库连接配置'),
    ).toEqual([])
    expect(carriedOver(items, '- [ ] signing key: rotate before Friday!\n- [x] 更新数据库连接配置 (完成)')).toEqual([])
  })

  verifies('C73', 'a tick stands beside a proposal that lists what was done as open, or was open before and is not told', () => {
    const left = itemsLeftBy(['- [ ] sow', '- [x] sow\n- [x] plough (dry)'])
    expect(untoldTicks(left, 'All is well.')).toEqual(['- [x] plough (dry)'])
    expect(untoldTicks(left, '- [ ] sow')).toEqual(['- [x] sow', '- [x] plough (dry)'])
    expect(untoldTicks(left, '- [ ] sow\n- [x] sow\n- [x] plough (dry)')).toEqual([])
  })

  verifies('C73', 'a tick without a reason, or words outside an item, close nothing', () => {
    expect(carriedOver(items, '- [x] rotate the signing key before Friday')).toEqual(items)
    expect(carriedOver(items, '- [x] rotate the signing key before Friday ()')).toEqual(items)
    expect(carriedOver(items, 'We rotate the signing key before Friday.')).toEqual(items)
  })

  verifies('C73', 'an item is carried over or some line of its own says it, for any proposal', () => {
    const words = fc.array(fc.constantFrom('rotate', 'key', 'parser', 'write', 'test', '配置', 'Friday', '()', '(x)'), {
      minLength: 1,
      maxLength: 6,
    })
    const line = fc.tuple(fc.constantFrom('- [ ] ', '- [x] ', ''), words).map(([mark, said]) => mark + said.join(' '))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(line, { maxLength: 8 }), (source, proposal) => {
        const open = openItemsOf([source.join('\n')])
        const carried = carriedOver(open, proposal.join('\n'))
        const lines = proposal.filter(one => one.startsWith('- [ ]') || /^- \[x\].*\([^()]+\)$/.test(one))
        for (const item of open) if (!carried.includes(item)) expect(lines).not.toEqual([])
        expect(carriedOver(open, '')).toEqual(open)
      }),
    )
  })
})
