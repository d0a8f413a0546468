import { afterEach } from 'vitest';
import { HubFixture } from './hub-fixture.ts';

/** Returns a function that makes fixtures for a test. They are closed after the test. */
export function hubFixtures(): (...args: ConstructorParameters<typeof HubFixture>) => HubFixture {
  const fixtures: HubFixture[] = [];
  afterEach(async () => {
    await Promise.all(fixtures.splice(0).map((one) => one.close()));
  });
  return (...args) => {
    const made = new HubFixture(...args);
    fixtures.push(made);
    return made;
  };
}
