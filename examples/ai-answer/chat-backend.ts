import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { LanguageModel } from 'ai';
import { beginAnswer, runAnswer } from './answer.ts';
import type { Broker } from './broker.ts';
import type { ChatMessage, ChatState } from './chat-state.ts';

const MAX_CHATS = 1_000;
const MAX_MESSAGES = 200;
const MAX_BODY_BYTES = 64 * 1024;

/** A chat, as the backend keeps it in memory. An application would keep it in its database. */
interface Chat {
  readonly id: string;
  messages: ChatMessage[];
  answer: string;
  /** Whether an answer is being started or written. */
  busy: boolean;
}

export interface ChatBackendOptions {
  readonly broker: Broker;
  readonly model: LanguageModel;
  /** The page's script, in one file. */
  readonly script: string;
}

/** Serves the page, and the API that the page uses. */
export function createChatBackend({ broker, model, script }: ChatBackendOptions): RequestListener {
  const chats = new Map<string, Chat>();

  function chatOf(id: string): Chat {
    const chat = chats.get(id) ?? { id, messages: [], answer: 'none', busy: false };
    chats.set(id, chat);
    for (const oldest of chats.keys()) {
      if (chats.size <= MAX_CHATS) break;
      chats.delete(oldest);
    }
    return chat;
  }

  async function stateOf({ id, messages, answer }: Chat): Promise<ChatState> {
    const token = await broker.token({
      subscribe: [`chats.${id}`, `answers.${id}.*`],
      publish: [`stops.${id}.*`],
    });
    const running = answer !== 'none' && !messages.some((message) => message.id === answer);
    return { messages, answer, running, broker: broker.url, token };
  }

  /** Takes a message, and starts the answer to it. The answer then goes on by itself. */
  async function say(chat: Chat, message: ChatMessage): Promise<void> {
    chat.busy = true;
    const messages = [...chat.messages, message].slice(-MAX_MESSAGES);
    const onEnd = (ended: ChatMessage): void => {
      chat.messages = [...messages, ended];
      chat.busy = false;
    };
    const options = { broker, model, chatId: chat.id, id: randomUUID(), messages, onEnd };
    try {
      await beginAnswer(options);
    } catch (error) {
      chat.busy = false;
      throw error;
    }
    chat.messages = messages;
    chat.answer = options.id;
    runAnswer(options).catch((error: unknown) => {
      console.error(error);
      chat.busy = false;
    });
  }

  async function serveApi(request: IncomingMessage, response: ServerResponse, chat: Chat): Promise<void> {
    if (request.method === 'POST') {
      // A browser also sends what pages of other origins post. Programs do not send this header.
      const from = request.headers['sec-fetch-site'] ?? 'same-origin';
      if (from !== 'same-origin') return send(response, 403);
      if (Number(request.headers['content-length'] ?? Infinity) > MAX_BODY_BYTES) return send(response, 413);
      const message = await readMessage(request);
      if (message === undefined) return send(response, 400);
      // A page that got no answer to its request sends the same message again.
      const known = chat.messages.some(({ id }) => id === message.id);
      if (!known && chat.busy) return send(response, 409);
      if (!known) await say(chat, message);
    }
    send(response, 200, 'application/json', JSON.stringify(await stateOf(chat)));
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [, chatId] = /^\/api\/chats\/([\w-]{1,64})$/.exec(pathname) ?? [];
    if (chatId !== undefined) return await serveApi(request, response, chatOf(chatId));
    if (pathname === '/')
      return response.writeHead(302, { location: `/chats/${randomUUID()}` }).end() && undefined;
    if (pathname === '/page.js') return send(response, 200, 'text/javascript', script);
    if (pathname === '/page.css') return send(response, 200, 'text/css', await fileOf('page.css'));
    if (pathname.startsWith('/chats/'))
      return send(response, 200, 'text/html; charset=utf-8', await fileOf('page.html'));
    send(response, 404);
  }

  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      console.error(error);
      send(response, 500);
    });
  };
}

async function readMessage(request: IncomingMessage): Promise<ChatMessage | undefined> {
  const body = (await json(request).catch(() => undefined)) as
    | { id?: unknown; text?: unknown }
    | null
    | undefined;
  if (typeof body?.id !== 'string' || typeof body.text !== 'string') return undefined;
  return { id: body.id, role: 'user', parts: [{ type: 'text', text: body.text }] };
}

async function fileOf(name: string): Promise<string> {
  return await readFile(new URL(name, import.meta.url), 'utf8');
}

function send(response: ServerResponse, status: number, type = 'text/plain', body = ''): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}
