-- A node that holds nothing any more takes its leave: nobody waits for it, and nobody buries it.
--
-- KEYS  1 epoch  2 record of the node  3 nodes
-- ARGV  node  incarnation

if redis.call('HGET', KEYS[2], 'incarnation') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[1], 'awaits:' .. ARGV[1])
return 1
