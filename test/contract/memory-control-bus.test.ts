import { describe } from 'vitest';
import { MemoryControlBus } from '../../src/logs/memory-control-bus.ts';
import { controlBusContract } from './control-bus-contract.ts';

describe('the control bus of one process', () => {
  controlBusContract(() => ({
    open: (options) => new MemoryControlBus(options),
    close: async () => undefined,
  }));
});
