// Publishes notices to a user, to an organization and to a room. A token grants its user the three channels.
import { askBroker, createApp, createToken, listen, publisher } from '../example-backend.mjs';

// An application would take the user from its session, and the memberships from its database.
const USERS = ['ada', 'ben'];
const channelsOf = (user) => ({
  user: `user.${user}`,
  organization: 'organization.acme',
  room: 'room.lobby',
});

const querystring = {
  type: 'object',
  required: ['user'],
  properties: { user: { enum: USERS } },
};
const notice = {
  type: 'object',
  required: ['user', 'to'],
  properties: { user: { enum: USERS }, to: { enum: ['user', 'organization', 'room'] } },
};

const app = await createApp(import.meta.dirname);
app.get('/channels', { schema: { querystring } }, (request) => channelsOf(request.query.user));
app.get('/token', { schema: { querystring } }, ({ query: { user } }) =>
  createToken({ sub: user, subscribe: Object.values(channelsOf(user)) }),
);

let count = 0;
app.post('/notices', { schema: { body: notice } }, async ({ body: { user, to } }, reply) => {
  count += 1;
  const channel = channelsOf(user)[to];
  await publisher.publish(channel, { text: `Notice ${count}`, from: user }, { event: 'notice' });
  return reply.send();
});

/** How many streams of a user the broker has: the channel of the user is on each of them. */
app.get('/streams', { schema: { querystring } }, async (request) => {
  const { subscribers } = await askBroker(`/channels/${channelsOf(request.query.user).user}`);
  return { streams: subscribers };
});
await listen(app);
