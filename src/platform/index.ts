export { contractDocument } from './contract.js';
