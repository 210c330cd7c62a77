import { searchWords } from '#journal'
import type { ChangedWords } from './changed-words.ts'
import { type Category, categoryRules } from './extractor.ts'
import { folded } from './extraction-text.ts'
import type { Learnable } from './extraction-candidates.ts'
import { type Evidence, isCurrent, type Memory, type MemorySource, saidAt, uriOf } from './memory-types.ts'
import type { Action, Applied, Fault } from './ranges.ts'

/** From how alike two sets of words are (Jaccard) they say the same. Source: spec/memory.md 9. */
export const alikeFrom = 0.9

/** One thing that is known, in all its versions. */
export interface Book {
  readonly id: string
  versions: Memory[]
  /** Number of its newest row in the store, 0 for none; and which version that row is of. */
  readonly row: number
  readonly head: number
}

/** One owner's memories while something is decided about them. Books are replaced, never changed in what was read. */
export interface Shelf {
  readonly owner: string
  readonly books: Map<string, Book>
  readonly changed: Set<string>
  readonly fresh: ChangedWords
  /** Which book a category's key is taken by. */
  readonly keys: Map<string, string>
  /** Ids of those that may lack no more than `missing` of these words. */
  near(words: ReadonlySet<string>, missing: number): Iterable<string>
  /** Ids of those that the range has taught before, with all their versions. */
  readonly taught: ReadonlySet<string>
}

export interface Learning {
  readonly tenant: string
  readonly now: number
  readonly newId: () => string
  readonly source: MemorySource
  readonly evidence: (candidate: Learnable) => Evidence
  /** Ids of the memories that were offered, by number. */
  readonly known: ReadonlyMap<number, string>
}

export const currentOf = (book: Book): Memory | undefined => book.versions.findLast(isCurrent)
const newest = (book: Book): Memory => book.versions.at(-1) as Memory

/** What a candidate may meet on the shelf: those whose versions have to be read before it is decided. */
export function booksMet(
  shelf: Shelf,
  candidate: Learnable,
  { evidence, known }: Pick<Learning, 'evidence' | 'known'>,
): string[] {
  const equal = byIdentity(shelf, candidate, evidence(candidate))?.id
  const alike = mostAlike(shelf, candidate)?.id
  const related = candidate.relation === null ? undefined : known.get(candidate.relation.n)
  return [equal, alike, related].flatMap(id => (id === undefined || !shelf.books.has(id) ? [] : [id]))
}

/**
 * Takes one candidate in. What the same words have taught before, in whatever version, stays as it is. Else in this order:
 * what was undone stays undone; equal text and key is the same; an equal key supersedes;
 * words alike are the same; the model's relation; else it is new. Laws M57, M58, M59.
 */
export function takeIn(
  shelf: Shelf,
  candidate: Learnable,
  learning: Learning,
): { readonly applied: Applied; readonly ignored?: Fault } {
  const evidence = learning.evidence(candidate)
  const done = (action: Action, { uri }: Memory): { applied: Applied } => ({ applied: { index: candidate.index, action, uri } })
  const same = (book: Book, memory: Memory): { applied: Applied } => {
    confirm(shelf, book, memory, candidate, evidence)
    return done('same', memory)
  }
  const before = becameBefore(shelf, candidate, evidence, learning)
  if (before !== undefined) return done('same', before)
  const equal = byIdentity(shelf, candidate, evidence)
  if (equal !== undefined) {
    const told = equal.versions.findLast(
      version => saysTheSame(version, candidate) && version.evidence.some(known => isSame(known, evidence)),
    )
    if (told !== undefined) return done('same', told)
    const current = currentOf(equal)
    if (current !== undefined && saysTheSame(current, candidate)) return same(equal, current)
    if (current === undefined) return done('add', addVersion(shelf, equal, candidate, evidence, learning))
    return done('supersede', supersede(shelf, equal, current, candidate, evidence, learning))
  }
  const alike = mostAlike(shelf, candidate)
  const alikeNow = alike === undefined ? undefined : currentOf(alike)
  if (alike !== undefined && alikeNow !== undefined) return same(alike, alikeNow)
  const { relation } = candidate
  const related = relation === null ? undefined : relatedBook(shelf, candidate, learning.known)
  if (relation !== null && typeof related === 'object') {
    const { book, current } = related
    if (relation.is === 'SAME') return same(book, current)
    if (relation.is === 'SUPERSEDE') return done('supersede', supersede(shelf, book, current, candidate, evidence, learning))
    const added = addBook(shelf, candidate, evidence, learning, [current.id])
    replace(shelf, book, current, { ...current, contradicts: [...new Set([...current.contradicts, added.id])] })
    return done('contradict', added)
  }
  const added = done('add', addBook(shelf, candidate, evidence, learning, []))
  return typeof related === 'string' ? { ...added, ignored: { index: candidate.index, code: related } } : added
}

const saysTheSame = (memory: Memory, candidate: Learnable): boolean => foldedOf(memory) === foldedOf(candidate)

/**
 * The version that a candidate became when its range was learnt from before: by the same content or by words alike, or as what the
 * model called the same. Another content under a key that these words have taught is something new. Law M49.
 */
function becameBefore(shelf: Shelf, candidate: Learnable, evidence: Evidence, { known }: Learning): Memory | undefined {
  const told = [...shelf.taught]
    .flatMap(id => shelf.books.get(id)?.versions.map(version => ({ id, version })) ?? [])
    .filter(({ version }) => version.category === candidate.category)
    .filter(({ version }) => version.evidence.some(one => isSame(one, evidence)))
  const equal = told.find(({ version }) => saysTheSame(version, candidate))
  if (equal !== undefined) return equal.version
  const { keyed, alike } = categoryRules[candidate.category]
  if (keyed && told.some(({ version }) => version.key === candidate.key)) return undefined
  const related = candidate.relation?.is === 'SAME' ? known.get(candidate.relation.n) : undefined
  const words = wordsOf(candidate)
  return told.find(({ id, version }) => id === related || (alike && jaccard(words, wordsOf(version)) >= alikeFrom))?.version
}

/** Whether two tell of the same place; where nothing is quoted, the place is the range, however it was cut. */
function isSame(one: Evidence, other: Evidence): boolean {
  if (one.session !== other.session || one.entry !== other.entry) return false
  return one.entry !== null || (one.fromSeq <= other.toSeq && other.fromSeq <= one.toSeq)
}

/** By its key, or, of what has none, by what was said where. */
function byIdentity(shelf: Shelf, candidate: Learnable, evidence: Evidence): Book | undefined {
  const { category, key } = candidate
  if (categoryRules[category].keyed) return shelf.books.get(shelf.keys.get(identity(category, key)) ?? '')
  for (const book of nearBooks(shelf, wordsOf(candidate), 0)) {
    const head = newest(book)
    if (head.category !== category || !saysTheSame(head, candidate)) continue
    if (head.evidence.some(known => isSame(known, evidence))) return book
  }
  return undefined
}

const identity = (category: Category, key: string): string => `${category}/${key}`

/** By which memory each key of each category is taken. */
export function keysOf(books: Iterable<Book>): Map<string, string> {
  const keys = new Map<string, string>()
  for (const book of books) {
    const { category, key } = newest(book)
    keys.set(identity(category, key), book.id)
  }
  return keys
}

/** What was said twice in different places is known twice; their keys differ. */
function freeKey(shelf: Shelf, { category, key }: Learnable): string {
  for (let n = 1; ; n++) {
    const free = n === 1 ? key : `${key}-${n}`
    if (!shelf.keys.has(identity(category, free))) return free
  }
}

/** The books that lack at most `missing` of these words: those that are known, and those that were just changed. */
function* nearBooks(shelf: Shelf, words: ReadonlySet<string>, missing: number): Iterable<Book> {
  const ids = words.size === 0 ? shelf.books.keys() : [...shelf.near(words, missing), ...shelf.fresh.sharing(words, missing)]
  for (const id of new Set(ids)) {
    const book = shelf.books.get(id)
    if (book !== undefined) yield book
  }
}

function mostAlike(shelf: Shelf, candidate: Learnable): Book | undefined {
  const rule = categoryRules[candidate.category]
  const words = wordsOf(candidate)
  if (!rule.alike || words.size === 0) return undefined
  let best: { readonly book: Book; readonly likeness: number } | undefined
  for (const book of nearBooks(shelf, words, Math.floor(words.size * (1 - alikeFrom) + 1e-9))) {
    if (newest(book).category !== candidate.category) continue
    const current = currentOf(book)
    if (current === undefined) continue
    if (!rule.keyed && !current.evidence.some(({ entry }) => entry !== null && entry === candidate.quote?.entry)) continue
    const likeness = jaccard(words, wordsOf(current))
    if (likeness >= alikeFrom && likeness > (best?.likeness ?? 0)) best = { book, likeness }
  }
  return best?.book
}

/** Candidates and memories are compared again and again; they are read once. */
const readWords = new WeakMap<object, ReadonlySet<string>>()
const readFolded = new WeakMap<object, string>()

function foldedOf(told: Memory | Learnable): string {
  const known = readFolded.get(told) ?? folded(told.content)
  readFolded.set(told, known)
  return known
}

function wordsOf(told: Memory | Learnable): ReadonlySet<string> {
  const known = readWords.get(told)
  if (known !== undefined) return known
  const words = new Set(searchWords(told.content))
  readWords.set(told, words)
  return words
}

function jaccard(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const total = one.size + other.size
  // Alike enough are they only with so many in common, so at most that many of one's may be missing.
  let missing = one.size - Math.ceil((alikeFrom * total) / (1 + alikeFrom) - 1e-9)
  if (missing < 0 || other.size < alikeFrom * one.size) return 0
  let common = 0
  for (const word of one) {
    if (other.has(word)) common++
    else if (--missing < 0) return 0
  }
  return common / (total - common)
}

/** The book that the model means, or why it is not heeded. Law M59. */
function relatedBook(
  shelf: Shelf,
  candidate: Learnable,
  known: ReadonlyMap<number, string>,
): { readonly book: Book; readonly current: Memory } | string {
  const id = known.get(candidate.relation?.n ?? NaN)
  if (id === undefined) return 'relation_not_offered'
  const book = shelf.books.get(id)
  if (book === undefined) return 'relation_other_owner'
  if (newest(book).category !== candidate.category) return 'relation_other_category'
  const current = currentOf(book)
  return current === undefined ? 'relation_not_current' : { book, current }
}

/** Puts a changed book on the shelf; `written` is the version that is new in it. */
function put(shelf: Shelf, book: Book, written: Memory): void {
  shelf.books.set(book.id, book)
  shelf.changed.add(book.id)
  shelf.fresh.put(book.id, wordsOf(written))
}

/** Writes a version in the place of another; a copy of the book is what changes. */
function replace(shelf: Shelf, { id }: Book, before: Memory, after: Memory): void {
  const book = shelf.books.get(id) as Book
  const versions = book.versions.map(version => (version.version === before.version ? after : version))
  put(shelf, { ...book, versions }, after)
}

function confirm(shelf: Shelf, book: Book, memory: Memory, candidate: Learnable, evidence: Evidence): void {
  if (memory.evidence.some(known => isSame(known, evidence))) return
  replace(shelf, book, memory, {
    ...memory,
    evidence: [...memory.evidence, evidence],
    seen: memory.seen + 1,
    inference: memory.inference && candidate.quote === null,
    ...(memory.uses === undefined ? {} : { uses: memory.uses + candidate.uses }),
  })
}

/**
 * A newer one closes the one before at the time from which it holds. What was said earlier than what is known is stored
 * already closed, at the next time that something else was said. Law M58.
 */
function supersede(
  shelf: Shelf,
  book: Book,
  current: Memory,
  candidate: Learnable,
  evidence: Evidence,
  learning: Learning,
): Memory {
  if (candidate.at < saidAt(current)) {
    const later = book.versions.flatMap(version => [version.validFrom, ...version.evidence.map(({ at }) => at)])
    const next = Math.min(...later.filter(at => at > candidate.at), saidAt(current))
    return addVersion(shelf, book, candidate, evidence, learning, Math.max(candidate.validFrom, next))
  }
  replace(shelf, book, current, { ...current, validTo: Math.max(current.validFrom, candidate.validFrom) })
  return addVersion(shelf, shelf.books.get(book.id) as Book, candidate, evidence, learning)
}

function addVersion(
  shelf: Shelf,
  { id }: Book,
  candidate: Learnable,
  evidence: Evidence,
  learning: Learning,
  validTo: number | null = null,
): Memory {
  const book = shelf.books.get(id) as Book
  const before = newest(book)
  const uses = book.versions.reduce((most, version) => Math.max(most, version.uses ?? 0), 0)
  const made = memoryOf(id, before.version + 1, candidate, evidence, learning, uses, before.key)
  const added: Memory = { ...made, validTo }
  put(shelf, { ...book, versions: [...book.versions, added] }, added)
  return added
}

function addBook(
  shelf: Shelf,
  candidate: Learnable,
  evidence: Evidence,
  learning: Learning,
  contradicts: readonly string[],
): Memory {
  const id = learning.newId()
  const added: Memory = { ...memoryOf(id, 1, candidate, evidence, learning, 0, freeKey(shelf, candidate)), contradicts }
  put(shelf, { id, versions: [added], row: 0, head: 0 }, added)
  shelf.keys.set(identity(added.category, added.key), id)
  return added
}

function memoryOf(
  id: string,
  version: number,
  candidate: Learnable,
  evidence: Evidence,
  { tenant, now, source }: Learning,
  usesBefore: number,
  key: string,
): Memory {
  const { owner, category, abstract, overview, content, confidence, validFrom } = candidate
  return {
    id,
    uri: uriOf(tenant, owner, category, key),
    version,
    owner,
    category,
    key,
    abstract,
    overview,
    content,
    confidence,
    inference: candidate.quote === null,
    evidence: [evidence],
    seen: 1,
    ...(categoryRules[category].uses ? { uses: usesBefore + candidate.uses } : {}),
    validFrom,
    validTo: null,
    recordedAt: now,
    retiredAt: null,
    contradicts: [],
    source,
  }
}
