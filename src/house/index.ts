export { type House, openHouse } from './open-house.ts'
export type { SkeinOptions } from './skein-options.ts'
