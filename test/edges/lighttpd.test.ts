import { describe } from 'vitest';
import { edgeContract } from './edge-contract.ts';

describe('lighttpd', () => edgeContract('lighttpd'));
