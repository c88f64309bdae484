/* 照片上的显微镜：同样的旋钮，换成照片上练的网络。 */
import { album } from "./parts/album.js";
import { load } from "./engine/safetensors.js";
import { picture as microscope } from "./microscope.js";

const CLASSES = ["飞机", "轿车", "鸟", "猫", "鹿", "狗", "蛙", "马", "船", "卡车"];
const NAMES = ["猫", "火箭", "咖啡", "人"];

export const picture = (figure) => microscope(figure, {
  weights: "photo", names: { untrained: "没训练", early: "第 400 步", late: "练完" }, classes: CLASSES, short: CLASSES.map((name) => name[0]),
  tested: "10,000 张测试照片",
  board: async (_, heard) => album((await load(new URL("weights/photos.safetensors", import.meta.url))).tensors.photos, NAMES, heard),
});
