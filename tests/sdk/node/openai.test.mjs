// OpenAI's client for Node: chat completions and responses through a provider of every dialect, models, embeddings.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import {
  ANSWER, ARGUMENTS, BASE_URL, KEY, PNG, PNG_HEARD, PROVIDERS, SUMMARY, logOf, prompt, throughEachProvider, unique,
} from './gateway.mjs'

const client = (options = {}) =>
  new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: KEY, maxRetries: 0, timeout: 20_000, ...options })
const hello = (directive) => [{ role: 'user', content: prompt(directive) }]

const Weather = z.object({ place: z.string(), days: z.number().int() })
const object = (properties) => ({ type: 'object', properties, required: Object.keys(properties) })
const schemas = {
  weather: object({ place: { type: 'string' }, days: { type: 'integer' } }),
  clock: object({ place: { type: 'string' } }),
}
const named = Object.entries(schemas).map(([name, parameters]) => ({ name, parameters }))
const tools = named.map((one) => ({ type: 'function', function: one }))
const flatTools = named.map((one) => ({ type: 'function', strict: false, ...one }))

test('models are listed', async () => {
  const names = []
  for await (const model of client().models.list()) names.push(model.id)
  for (const model of PROVIDERS) assert.ok(names.includes(model), `${model} in ${names}`)
  assert.equal((await client().models.retrieve('via-gemini')).id, 'via-gemini')
})

test('embeddings are the same as numbers and as base64', async () => {
  for (const model of ['embed', 'embed-gemini']) {
    const packed = await client().embeddings.create({ model, input: ['a gate', 'a wall'] })
    const plain = await client().embeddings.create({ model, input: ['a gate', 'a wall'], encoding_format: 'float' })
    assert.equal(packed.data.length, 2, model)
    packed.data[0].embedding.forEach((number, index) => {
      assert.ok(Math.abs(number - plain.data[0].embedding[index]) < 1e-6, model)
    })
  }
})

throughEachProvider('chat: an answer with its usage', async (model) => {
  const answer = await client().chat.completions.create({ model, messages: hello() })
  assert.equal(answer.choices[0].message.content, ANSWER)
  assert.equal(answer.choices[0].finish_reason, 'stop')
  assert.equal(answer.usage.completion_tokens, 4)
})

throughEachProvider('chat: a stream with its usage', async (model) => {
  const stream = await client().chat.completions.create({
    model, messages: hello(), stream: true, stream_options: { include_usage: true },
  })
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  const pieces = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean)
  assert.equal(pieces.join(''), ANSWER)
  assert.ok(pieces.length > 1, 'it came in one piece')
  assert.equal(chunks.at(-1).usage.completion_tokens, 4)
})

throughEachProvider('chat: a round trip of tools, with thoughts that belong to them', async (model) => {
  const ask = {
    whole: async (messages) => (await client().chat.completions.create({ model, messages, tools })).choices[0].message,
    streamed: (messages) => client().chat.completions.stream({ model, messages, tools }).finalMessage(),
  }
  for (const [name, message] of Object.entries(ask)) {
    const messages = hello(`tools reasoning=4 strict_state ${unique()}`)
    const asked = await message(messages)
    const called = asked.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])
    assert.deepEqual(Object.fromEntries(called), ARGUMENTS, name)
    messages.push(asked)
    for (const call of asked.tool_calls) messages.push({ role: 'tool', tool_call_id: call.id, content: 'fine' })
    assert.equal((await message(messages)).content, SUMMARY, name)
  }
})

throughEachProvider('chat: an answer in a schema', async (model) => {
  const answer = await client().chat.completions.parse({
    model, messages: hello(), response_format: zodResponseFormat(Weather, 'weather'),
  })
  assert.deepEqual(answer.choices[0].message.parsed, { place: 'hello', days: 7 })
})

throughEachProvider('chat: a picture and a system prompt', async (model) => {
  const content = [
    { type: 'text', text: prompt('describe') },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
  ]
  const answer = await client().chat.completions.create({
    model, messages: [{ role: 'system', content: 'Be short.' }, { role: 'user', content }],
  })
  const told = JSON.parse(answer.choices[0].message.content)
  assert.deepEqual(told.turns.at(-1).images, [PNG_HEARD])
  assert.deepEqual(told.system, ['Be short.'])
})

throughEachProvider('chat: a stream that breaks is an error', async (model) => {
  for (const fault of ['cut', 'stall', 'json_error']) {
    let text = ''
    await assert.rejects(async () => {
      const stream = await client().chat.completions.create({
        model, messages: hello(`fault=${fault} after=2 delay_ms=20`), stream: true,
      })
      for await (const chunk of stream) text += chunk.choices[0].delta.content ?? ''
    }, OpenAI.APIError, fault)
    assert.equal(text, 'You said', fault)
  }
})

throughEachProvider('chat: a client that goes ends the provider’s stream', async (model) => {
  const { data: stream, response } = await client().chat.completions
    .create({ model, messages: hello('tokens=1000 delay_ms=20'), stream: true })
    .withResponse()
  for await (const chunk of stream) if (chunk.choices[0].delta.content) break
  stream.controller.abort()
  assert.equal((await logOf(response.headers.get('x-request-id'))).outcome, 'client_gone')
})

throughEachProvider('responses: an answer, streamed too', async (model) => {
  const whole = await client().responses.create({ model, input: 'hello' })
  assert.equal(whole.output_text, ANSWER)
  assert.equal(whole.usage.output_tokens, 4)
  const stream = client().responses.stream({ model, input: 'hello' })
  const kinds = []
  for await (const event of stream) kinds.push(event.type)
  assert.equal(kinds.at(-1), 'response.completed')
  assert.equal((await stream.finalResponse()).output_text, ANSWER)
})

throughEachProvider('responses: a later turn, a look at the first, and its end', async (model) => {
  const first = await client().responses.create({ model, input: 'first' })
  const second = await client().responses.create({ model, input: 'hello', previous_response_id: first.id })
  assert.equal(second.output_text, ANSWER)
  assert.equal((await client().responses.retrieve(first.id)).output_text, 'You said this: first')
  await client().responses.delete(first.id)
  await assert.rejects(client().responses.retrieve(first.id), OpenAI.NotFoundError)
})

throughEachProvider('responses: a round trip of tools, with thoughts that go along sealed', async (model) => {
  const fields = { model, tools: flatTools, store: false, include: ['reasoning.encrypted_content'] }
  const input = hello(`tools reasoning=4 strict_state ${unique()}`)
  const asked = await client().responses.create({ ...fields, input })
  const calls = asked.output.filter((item) => item.type === 'function_call')
  assert.deepEqual(Object.fromEntries(calls.map((call) => [call.name, JSON.parse(call.arguments)])), ARGUMENTS)
  input.push(...asked.output)
  for (const call of calls) input.push({ type: 'function_call_output', call_id: call.call_id, output: 'fine' })
  assert.equal((await client().responses.create({ ...fields, input })).output_text, SUMMARY)
})

throughEachProvider('responses: an answer in a schema', async (model) => {
  const answer = await client().responses.parse({
    model, input: 'hello', text: { format: zodTextFormat(Weather, 'weather') },
  })
  assert.deepEqual(answer.output_parsed, { place: 'hello', days: 7 })
})

throughEachProvider('errors of a provider keep their status', async (model) => {
  for (const [status, expected] of [
    [400, OpenAI.BadRequestError], [429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError],
  ]) {
    await assert.rejects(
      client().chat.completions.create({ model, messages: hello(`fault=${status}`) }),
      (error) => error instanceof expected && error.status === status && Boolean(error.requestID),
    )
  }
})

test('refusals of the gateway are the client’s own errors', async () => {
  const ask = (options, model = 'via-messages') =>
    client(options).chat.completions.create({ model, messages: hello() })
  await assert.rejects(ask({ apiKey: 'wrong' }), (error) =>
    error instanceof OpenAI.AuthenticationError && error.code === 'invalid_api_key')
  await assert.rejects(ask({ apiKey: 'switched-off-secret' }), OpenAI.PermissionDeniedError)
  await assert.rejects(ask({}, 'no-such-model'), (error) =>
    error instanceof OpenAI.NotFoundError && error.code === 'model_not_found')
})
