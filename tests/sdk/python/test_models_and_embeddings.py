"""Models and embeddings."""

import unittest

import openai

from gateway import PROVIDERS
from support import async_client, client


class Models(unittest.TestCase):
    def test_a_key_sees_the_models_it_may_use(self):
        names = lambda key: {model.id for model in client(api_key=key).models.list()}
        self.assertLessEqual({"fast-chat", "embed", "unpaid-chat", *PROVIDERS}, names("sdk-secret"))
        self.assertEqual(names("narrow-secret"), {"embed"})

    def test_one_model(self):
        model = client().models.retrieve("fast-chat")
        self.assertEqual((model.id, model.object, model.owned_by), ("fast-chat", "model", "simulator"))

    def test_a_model_that_is_not_there(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client().models.retrieve("no-such-model")
        self.assertEqual(caught.exception.code, "model_not_found")


class Embeddings(unittest.TestCase):
    def test_numbers_and_base64_are_the_same_vectors(self):
        for model in ("embed", "embed-gemini"):
            with self.subTest(model):
                self.check_vectors(model)

    def check_vectors(self, model):
        texts = ["a gate", "a wall", "a road"]
        # Unless told otherwise the SDK asks for base64 and decodes it.
        packed = client().embeddings.create(model=model, input=texts)
        plain = client().embeddings.create(model=model, input=texts, encoding_format="float")
        self.assertEqual([entry.index for entry in packed.data], [0, 1, 2])
        self.assertGreater(packed.usage.prompt_tokens, 0)
        for ours, theirs in zip(packed.data, plain.data, strict=True):
            self.assertEqual(len(ours.embedding), len(theirs.embedding))
            for a, b in zip(ours.embedding, theirs.embedding):
                self.assertAlmostEqual(a, b, places=6)

    def test_a_chat_model_makes_none(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().embeddings.create(model="fast-chat", input="a gate")
        self.assertEqual(caught.exception.code, "capability_not_supported")


class AsyncModelsAndEmbeddings(unittest.IsolatedAsyncioTestCase):
    async def test_both(self):
        async with async_client() as gateway:
            names = {model.id async for model in gateway.models.list()}
            answer = await gateway.embeddings.create(model="embed", input="a gate")
        self.assertIn("embed", names)
        self.assertEqual(len(answer.data), 1)
