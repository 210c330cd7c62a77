export {
  adapterContract,
  type AdapterContractRunner,
  type ContractAdapter,
  type OpenContractAdapter,
} from './gateway/adapter.contract.ts'
export { type ContractRunner, type ContractStore, type OpenContractStore, storeContract } from './journal/store.contract.ts'
export {
  type ScriptedAnswer,
  type ScriptedCall,
  type ScriptedModel,
  scriptedModel,
  type ScriptedOptions,
  type ScriptedStep,
} from '#models'
