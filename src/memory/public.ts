// What a program imports to learn and to archive itself: the ports, what is built in, and how good an overview is.
export { type Candidate, type Category, type ExtractionInput, type Extractor, type ExtractorEntry } from './extractor.ts'
export { rulesExtractor } from './rules-extractor.ts'
export { type ArchivedMessage, type Archiver, type ArchiveTexts, overviewHeadings } from './archiver.ts'
export { measureQuality, type Quality, type QualityInput } from './quality.ts'
export { type Embedder } from './recall-vectors.ts'
export { type Memory } from './memory-types.ts'
