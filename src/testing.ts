export { type ContractRunner, type ContractStore, type OpenContractStore, storeContract } from './journal/store.contract.ts'
