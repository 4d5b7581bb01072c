// Vercel's AI SDK, in the dialect of each vendor, through a provider of every dialect.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, Output, embedMany, generateText, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'
import { ANSWER, BASE_URL, KEY, PNG, PNG_HEARD, SUMMARY, prompt, throughEachProvider, unique } from './gateway.mjs'

globalThis.AI_SDK_LOG_WARNINGS = false

const settings = { baseURL: `${BASE_URL}/v1`, apiKey: KEY }
const openai = createOpenAI(settings)
const anthropic = createAnthropic(settings)
const google = createGoogle({ ...settings, baseURL: `${BASE_URL}/v1beta` })
const compatible = createOpenAICompatible({
  ...settings, name: 'ferrogate', includeUsage: true, supportsStructuredOutputs: true,
})

// From the names of models it cannot tell that these may think, so it has to be told to ask for their state.
const stateless = { openai: { store: false, include: ['reasoning.encrypted_content'] } }

const clients = {
  'openai responses': { make: (model) => openai.responses(model) },
  'openai responses, nothing stored': { make: (model) => openai.responses(model), providerOptions: stateless },
  'openai chat': { make: (model) => openai.chat(model) },
  'openai compatible': { make: (model) => compatible(model) },
  anthropic: { make: (model) => anthropic(model) },
  google: { make: (model) => google(model) },
}

// What came of a stream. Errors are thrown here, with the text before them: by itself a stream only reports them.
async function read(options) {
  const result = streamText({ ...options, onError() {} })
  const parts = []
  const text = () => parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join('')
  for await (const part of result.stream) {
    if (part.type === 'error') throw Object.assign(new Error('the stream broke'), { text: text(), cause: part.error })
    parts.push(part)
  }
  return {
    text: await result.text,
    steps: await result.steps,
    usage: await result.usage,
    finishReason: await result.finishReason,
    pieces: parts.filter((part) => part.type === 'text-delta').length,
  }
}

for (const [name, { make, providerOptions }] of Object.entries(clients)) {
  const common = (model) => ({ model: make(model), providerOptions, maxRetries: 0, maxOutputTokens: 4000 })

  throughEachProvider(`${name}: an answer with its usage, streamed too`, async (model) => {
    const whole = await generateText({ ...common(model), prompt: 'hello' })
    const streamed = await read({ ...common(model), prompt: 'hello' })
    for (const answer of [whole, streamed]) {
      assert.equal(answer.text, ANSWER)
      assert.equal(answer.finishReason, 'stop')
      assert.equal(answer.usage.outputTokens, 4)
    }
    assert.ok(streamed.pieces > 1, 'it came in one piece')
  })

  throughEachProvider(`${name}: tools are called in a loop, and thoughts stay with their calls`, async (model) => {
    for (const ask of [generateText, read]) {
      const asked = []
      const tools = {
        weather: tool({
          description: 'The weather at a place.',
          inputSchema: z.object({ place: z.string(), days: z.number().int() }),
          execute: async (input) => {
            asked.push(input)
            return 'fine'
          },
        }),
        clock: tool({
          description: 'The time at a place.',
          inputSchema: z.object({ place: z.string() }),
          execute: async () => 'noon',
        }),
      }
      const answer = await ask({
        ...common(model), tools, stopWhen: stepCountIs(3), prompt: prompt(`tools reasoning=4 strict_state ${unique()}`),
      })
      assert.equal(answer.text, SUMMARY)
      assert.equal(answer.steps.length, 2)
      assert.deepEqual(asked, [{ place: 'hello', days: 7 }])
    }
  })

  throughEachProvider(`${name}: an answer in a schema`, async (model) => {
    const schema = z.object({ place: z.string(), days: z.number().int() })
    const answer = await generateText({ ...common(model), prompt: 'hello', output: Output.object({ schema }) })
    assert.deepEqual(answer.output, { place: 'hello', days: 7 })
  })

  throughEachProvider(`${name}: a picture and a system prompt`, async (model) => {
    const content = [
      { type: 'text', text: prompt('describe') },
      { type: 'file', data: PNG, mediaType: 'image/png' },
    ]
    const answer = await generateText({
      ...common(model), instructions: 'Be short.', messages: [{ role: 'user', content }],
    })
    const told = JSON.parse(answer.text)
    assert.deepEqual(told.turns.at(-1).images, [PNG_HEARD])
    assert.deepEqual(told.system, ['Be short.'])
  })

  throughEachProvider(`${name}: errors keep their status`, async (model) => {
    for (const [directive, status] of [['fault=429', 429], ['fault=400', 400]]) {
      await assert.rejects(generateText({ ...common(model), prompt: prompt(directive) }), (error) =>
        APICallError.isInstance(error) && error.statusCode === status)
    }
  })

  throughEachProvider(`${name}: a stream that breaks is an error`, async (model) => {
    for (const fault of ['cut', 'stall']) {
      const breaking = { ...common(model), prompt: prompt(`fault=${fault} after=2 delay_ms=20`) }
      await assert.rejects(read(breaking), (error) => error.text === 'You said' || assert.fail(error))
    }
  })
}

test('embeddings', async () => {
  for (const model of ['embed', 'embed-gemini']) {
    const { embeddings } = await embedMany({ model: openai.embeddingModel(model), values: ['a gate', 'a wall'] })
    assert.equal(embeddings.length, 2)
    assert.ok(embeddings[0].length > 1)
  }
})
