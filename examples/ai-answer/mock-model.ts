import { simulateReadableStream } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';

/** In ms, between two words of an answer. */
const WORD_DELAY_MS = Number(process.env['WORD_DELAY_MS'] ?? 60);

const ANSWER = `A mock model writes this answer. It needs no key and no network, and it writes one word at a time.

The backend uploads the words to a channel of the broker with a single request. The page does not hold that request. So \
you can reload the page in the middle of the answer, close it, or lose the network: the model goes on, and the page shows \
the whole answer when it comes back.

Open the address of this page in a second window. Both windows show the same words at the same time. Press Stop in either \
of them: the model stops, the channel ends, and both windows show that.

Ask something with the word "fail" to see what happens when the model breaks off in the middle of its answer.`;

type Parts = Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream'];
type Part = Parts extends ReadableStream<infer T> ? T : never;

/** A model of the AI SDK that always writes the same answer. It fails half-way when the question contains "fail". */
export const mockModel = new MockLanguageModelV4({
  doStream: ({ prompt }) => {
    const question = JSON.stringify(prompt.findLast(({ role }) => role === 'user')?.content ?? '');
    const words: Part[] = ANSWER.split(/(?<=\s)/).map((delta) => ({ type: 'text-delta', id: 'text', delta }));
    const usage = {
      inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: words.length, text: words.length, reasoning: 0 },
    };
    const ending: Part[] = [
      { type: 'text-end', id: 'text' },
      { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
    ];
    const failure: Part[] = [{ type: 'error', error: new Error('The model is overloaded.') }];
    const chunks: Part[] = [
      { type: 'stream-start', warnings: [] },
      { type: 'text-start', id: 'text' },
      ...(question.includes('fail')
        ? [...words.slice(0, words.length / 3), ...failure]
        : [...words, ...ending]),
    ];
    return Promise.resolve({ stream: simulateReadableStream({ chunks, chunkDelayInMs: WORD_DELAY_MS }) });
  },
});
