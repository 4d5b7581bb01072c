// Anthropic's client for Node, through a provider of every dialect.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import {
  ANSWER, ARGUMENTS, BASE_URL, KEY, PNG, PNG_HEARD, PROVIDERS, SUMMARY, logOf, prompt, throughEachProvider, unique,
} from './gateway.mjs'

const client = (options = {}) =>
  new Anthropic({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0, timeout: 20_000, ...options })
const hello = (directive) => [{ role: 'user', content: prompt(directive) }]
const whole = (fields) => client().messages.create({ max_tokens: 4000, ...fields })
const streamed = (fields) => client().messages.stream({ max_tokens: 4000, ...fields }).finalMessage()
const textOf = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text).join('')

const thinking = { type: 'enabled', budget_tokens: 2000 }
const object = (properties) => ({ type: 'object', properties, required: Object.keys(properties) })
const tools = [
  { name: 'weather', input_schema: object({ place: { type: 'string' }, days: { type: 'integer' } }) },
  { name: 'clock', input_schema: object({ place: { type: 'string' } }) },
]

test('models are listed in the shape the client reads', async () => {
  const names = []
  for await (const model of client().models.list()) names.push(model.id)
  for (const model of PROVIDERS) assert.ok(names.includes(model), `${model} in ${names}`)
  assert.equal((await client().models.retrieve('via-chat')).type, 'model')
})

throughEachProvider('an answer with its usage, streamed too', async (model) => {
  for (const ask of [whole, streamed]) {
    const answer = await ask({ model, messages: hello() })
    assert.equal(textOf(answer), ANSWER)
    assert.equal(answer.stop_reason, 'end_turn')
    assert.equal(answer.usage.output_tokens, 4)
  }
})

throughEachProvider('a round trip of tools, with thoughts that belong to them', async (model) => {
  for (const ask of [whole, streamed]) {
    const messages = hello(`tools reasoning=4 strict_state ${unique()}`)
    const asked = await ask({ model, messages, tools, thinking })
    const calls = asked.content.filter((block) => block.type === 'tool_use')
    assert.deepEqual(Object.fromEntries(calls.map((call) => [call.name, call.input])), ARGUMENTS)
    messages.push({ role: 'assistant', content: asked.content })
    messages.push({
      role: 'user',
      content: calls.map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: 'fine' })),
    })
    const answer = await ask({ model, messages, tools, thinking })
    assert.equal(textOf(answer), SUMMARY)
    assert.equal(answer.stop_reason, 'end_turn')
  }
})

throughEachProvider('a picture and a system prompt', async (model) => {
  const answer = await whole({
    model,
    system: 'Be short.',
    messages: [{
      role: 'user',
      content: [
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'text', text: prompt('describe') },
      ],
    }],
  })
  const told = JSON.parse(textOf(answer))
  assert.deepEqual(told.turns.at(-1).images, [PNG_HEARD])
  assert.deepEqual(told.system, ['Be short.'])
})

throughEachProvider('tokens are counted', async (model) => {
  const { input_tokens: plain } = await client().messages.countTokens({ model, messages: hello() })
  const { input_tokens: more } = await client().messages.countTokens({
    model, messages: hello(), system: 'Be short. '.repeat(50),
  })
  assert.ok(plain > 0 && more > plain, `${plain} ${more}`)
})

throughEachProvider('a stream that breaks is an error', async (model) => {
  for (const fault of ['cut', 'stall', 'json_error']) {
    let text = ''
    await assert.rejects(async () => {
      const stream = await client().messages.create({
        model, max_tokens: 100, messages: hello(`fault=${fault} after=2 delay_ms=20`), stream: true,
      })
      for await (const event of stream) text += event.delta?.text ?? ''
    }, Anthropic.APIError, fault)
    assert.equal(text, 'You said', fault)
  }
})

throughEachProvider('a client that goes ends the provider’s stream', async (model) => {
  const { data: stream, response } = await client().messages
    .create({ model, max_tokens: 4000, messages: hello('tokens=1000 delay_ms=20'), stream: true })
    .withResponse()
  for await (const event of stream) if (event.delta?.text) break
  stream.controller.abort()
  assert.equal((await logOf(response.headers.get('request-id'))).outcome, 'client_gone')
})

throughEachProvider('errors of a provider keep their status and have Anthropic’s types', async (model) => {
  for (const [status, kind, expected] of [
    [400, 'invalid_request_error', Anthropic.BadRequestError],
    [429, 'rate_limit_error', Anthropic.RateLimitError],
    [500, 'api_error', Anthropic.InternalServerError],
  ]) {
    await assert.rejects(whole({ model, messages: hello(`fault=${status}`) }), (error) =>
      error instanceof expected && error.status === status && error.error.error.type === kind)
  }
})

test('refusals of the gateway are the client’s own errors', async () => {
  const ask = (options, model = 'via-messages') =>
    client(options).messages.create({ model, max_tokens: 10, messages: hello() })
  await assert.rejects(ask({ apiKey: 'wrong' }), (error) =>
    error instanceof Anthropic.AuthenticationError && Boolean(error.requestID))
  await assert.rejects(ask({ apiKey: 'switched-off-secret' }), Anthropic.PermissionDeniedError)
  await assert.rejects(ask({}, 'no-such-model'), Anthropic.NotFoundError)
})
